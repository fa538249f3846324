package main

import (
	"strings"

	"github.com/coracle-os/coracle/init/modules"
)

// modprobe is what the kernel runs, as "init -q -- NAME", when it misses a module, such as the one for a file system
// that is mounted or an expression in a firewall rule. Most names it asks for are of nothing that exists, so
// that is silent.
func modprobe(args []string) (exitCode int) {
	dir, err := modules.Dir()
	if err != nil {
		return 1
	}
	var names []string
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			names = append(names, a)
		}
	}
	if modules.Open(dir).Load(names...) != nil {
		return 1
	}
	return 0
}
