package host

import (
	"fmt"

	"github.com/coracle-os/coracle/init/modules"
)

// kernelModules are those that nothing asks for by itself. File systems, kinds of interface and nftables expressions
// are loaded by the kernel when they are first used.
var kernelModules = []string{
	"br_netfilter", // pods on one node reach a Service whose endpoint is on the same node
}

// LoadModules loads the modules that every machine needs, and those of the config.
func LoadModules(configured []string) error {
	dir, err := modules.Dir()
	if err != nil {
		return err
	}
	if err := modules.Open(dir).Load(append(kernelModules[:len(kernelModules):len(kernelModules)], configured...)...); err != nil {
		return fmt.Errorf("kernel modules: %w", err)
	}
	return nil
}
