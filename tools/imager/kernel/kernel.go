// Package kernel takes Debian's kernel: its image, and the modules that an image definition chooses with all that those
// depend on, and the firmware that they ask for.
package kernel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/coracle-os/coracle/tools/imager/debian"
)

// Kernel is one kernel package, unpacked.
type Kernel struct {
	Release string // as in uname -r
	Package debian.Package
	Image   string // bzImage or Image
}

// Fetch gets the kernel that metapackage, such as linux-image-amd64, stands for.
func Fetch(ctx context.Context, a *debian.Archive, metapackage string) (Kernel, error) {
	meta, err := a.Packages(ctx, metapackage)
	if err != nil {
		return Kernel{}, err
	}
	name := realPackage(meta[0].Depends)
	if name == "" {
		return Kernel{}, fmt.Errorf("package %s depends on no linux-image package (%q): is it a kernel metapackage?", metapackage, meta[0].Depends)
	}
	packages, err := a.Packages(ctx, name)
	if err != nil {
		return Kernel{}, err
	}
	k := Kernel{Release: strings.TrimPrefix(name, "linux-image-"), Package: packages[0]}
	k.Image = filepath.Join(k.Package.Root, "boot", "vmlinuz-"+k.Release)
	if _, err := os.Stat(k.Image); err != nil {
		return Kernel{}, fmt.Errorf("package %s has no kernel: %w", name, err)
	}
	return k, nil
}

// realPackage finds the versioned kernel package in a Depends field.
func realPackage(depends string) string {
	for part := range strings.SplitSeq(depends, ",") {
		if words := strings.Fields(part); len(words) > 0 && strings.HasPrefix(words[0], "linux-image-") {
			return words[0]
		}
	}
	return ""
}

// modulesDir is the folder of the kernel's modules below the root of an unpacked package or of an image.
func (k Kernel) modulesDir(root string) string {
	return filepath.Join(root, "usr/lib/modules", k.Release)
}
