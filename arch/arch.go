// Package arch holds what differs between the architectures that Coracle is built for: names, Go settings and
// kernel modules.
package arch

import (
	_ "embed"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/config/strict"
)

// Architecture is one that images are built for.
type Architecture struct {
	Name    string   // Debian's, also in the names of files: amd64, arm64, armhf
	GOARCH  string   // Go's, also in the manifests of slots and in machine configs
	Triplet string   // GNU triplet: the folder of its libraries, and the prefix of its cross compiler
	Go      []string // Go's environment, besides GOOS and GOARCH
}

// All are the architectures, in order of how common they are.
var All = []Architecture{
	// v1: edge boxes have old Atoms and Bobcats.
	{Name: "amd64", GOARCH: "amd64", Triplet: "x86_64-linux-gnu", Go: []string{"GOAMD64=v1"}},
	{Name: "arm64", GOARCH: "arm64", Triplet: "aarch64-linux-gnu", Go: []string{"GOARM64=v8.0"}}, // Raspberry Pi 3 and 4: no LSE atomics
	{Name: "armhf", GOARCH: "arm", Triplet: "arm-linux-gnueabihf", Go: []string{"GOARM=7"}},
}

// Named finds an architecture by its name.
func Named(name string) (Architecture, error) {
	i := slices.IndexFunc(All, func(a Architecture) bool { return a.Name == name })
	if i < 0 {
		return Architecture{}, fmt.Errorf("architecture %q is not one of %s", name, strings.Join(Names(), ", "))
	}
	return All[i], nil
}

// Host is the architecture of the machine that this runs on.
func Host() (Architecture, error) {
	i := slices.IndexFunc(All, func(a Architecture) bool { return a.GOARCH == runtime.GOARCH })
	if i < 0 {
		return Architecture{}, fmt.Errorf("this host's architecture %s is not one of %s", runtime.GOARCH, strings.Join(Names(), ", "))
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
