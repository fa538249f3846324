package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/tools/imager/kernel"
)

// moduleLists are the kernel modules of the image, with all that they depend on.
type moduleLists struct {
	index           *kernel.Index
	initramfs, root []string
	firmware        []string // files below /usr/lib/firmware that the modules may ask for
}

// chooseModules makes the lists from the sets that the definition names.
func (b *builder) chooseModules(ctx context.Context) (string, error) {
	// The index is of the package alone, so it lasts as long as that.
	index, err := b.kernel.Index(ctx, b.tools.Command, b.kernel.Package.Root+".modules")
	if err != nil {
		return "", err
	}
	sets := b.definition.Kernel.Modules
	m := moduleLists{index: index}
	if m.initramfs, err = index.Closure(moduleSets(sets.Initramfs)...); err != nil {
		return "", err
	}
	if m.root, err = index.Closure(slices.Concat(m.initramfs, moduleSets(sets.Root))...); err != nil {
		return "", err
	}
	if m.firmware, err = b.kernel.Firmware(index, m.root); err != nil {
		return "", err
	}
	b.modules = m
	return fmt.Sprintf("%d in the initramfs, %d in the root", len(m.initramfs), len(m.root)), nil
}

func moduleSets(names []string) []string {
	var modules []string
	for _, name := range names {
		modules = append(modules, arch.Modules[name]...)
	}
	return modules
}
