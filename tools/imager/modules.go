package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/tools/imager/definition"
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
	// The index is of the packages alone, so it lasts as long as they.
	index, err := b.kernel.Index(ctx, b.tools.Command, b.kernel.Root+".modules")
	if err != nil {
		return "", err
	}
	m, err := modulesOf(index, b.definition)
	if err != nil {
		return "", fmt.Errorf("Linux %s: %w", b.kernel.Release, err)
	}
	if m.firmware, err = b.kernel.Firmware(index, m.root); err != nil {
		return "", err
	}
	b.modules = m
	return fmt.Sprintf("%d in the initramfs, %d in the root", len(m.initramfs), len(m.root)), nil
}

// modulesOf are the modules that a definition wants of the kernel, with that of its root file system. Without what root.hash names no machine would open its root.
func modulesOf(index *kernel.Index, d *definition.Definition) (moduleLists, error) {
	m := moduleLists{index: index}
	var err error
	if m.initramfs, err = index.Closure(append(moduleSets(d.Kernel.Modules.Initramfs), d.Root.Format)...); err != nil {
		return m, err
	}
	if !index.Provides("crypto-"+d.Root.Hash, m.initramfs) {
		return m, fmt.Errorf("root.hash is %s, which neither the kernel has in itself nor a module of the initramfs: name a set with its module in kernel.modules.initramfs, or another root.hash",
			d.Root.Hash)
	}
	m.root, err = index.Closure(slices.Concat(m.initramfs, moduleSets(d.Kernel.Modules.Root))...)
	return m, err
}

func moduleSets(names []string) []string {
	var modules []string
	for _, name := range names {
		modules = append(modules, arch.Modules[name]...)
	}
	return modules
}
