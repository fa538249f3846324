// Package arch holds what differs between the architectures that Coracle is built for: names, Go settings and
// kernel modules.
package arch

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/config/strict"
)

// Architecture is one that images are built for.
type Architecture struct {
	Name    string   // GOARCH, also in file names and kernel-independent places
	Debian  string   // Debian's name of it
	Triplet string   // GNU triplet: the folder of its libraries, and the prefix of its cross compiler
	Go      []string // Go's environment, besides GOOS and GOARCH
}

// All are the architectures, in order of how common they are.
var All = []Architecture{
	// v1: edge boxes have old Atoms and Bobcats.
	{Name: "amd64", Debian: "amd64", Triplet: "x86_64-linux-gnu", Go: []string{"GOAMD64=v1"}},
}

// Named finds an architecture by its GOARCH name.
func Named(name string) (Architecture, error) {
	i := slices.IndexFunc(All, func(a Architecture) bool { return a.Name == name })
	if i < 0 {
		return Architecture{}, fmt.Errorf("architecture %q is not one of %s", name, strings.Join(Names(), ", "))
	}
	return All[i], nil
}

// Names lists the architectures' names.
func Names() []string {
	names := make([]string, len(All))
	for i, a := range All {
		names[i] = a.Name
	}
	return names
}

//go:embed modules.yml
var modules []byte

// Modules are the named sets of kernel modules that image definitions choose from.
var Modules = mustParse(modules)

func mustParse(data []byte) map[string][]string {
	var sets struct {
		Sets map[string][]string `yaml:"sets"`
	}
	if _, err := strict.Decode("arch/modules.yml", data, &sets); err != nil {
		panic(err)
	}
	return sets.Sets
}
