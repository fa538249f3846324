package host

import (
	"github.com/coracle-os/coracle/init/modules"
)

// kernelModules are those that nothing asks for by itself. File systems, kinds of interface and nftables expressions
// are loaded by the kernel when they are first used.
var kernelModules = []string{
	"br_netfilter", // pods on one node reach a Service whose endpoint is on the same node
}

// LoadModules loads modules by name, with what they need.
func LoadModules(names ...string) error {
	dir, err := modules.Dir()
	if err != nil {
		return err
	}
	return modules.Open(dir).Load(names...)
}

// LoadBaseModules loads the modules that every machine needs.
func LoadBaseModules() error { return LoadModules(kernelModules...) }
