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

// Kernel is one kernel, unpacked.
type Kernel struct {
	Release  string           // as in uname -r
	Packages []debian.Package // that have anything of it
	Root     string           // folder with the files of all of them
	Image    string           // bzImage or Image
}

// archive is a [debian.Archive].
type archive interface {
	Packages(ctx context.Context, names ...string) ([]debian.Package, error)
}

// Fetch gets the kernel that metapackage, such as linux-image-amd64, stands for.
func Fetch(ctx context.Context, a archive, metapackage string) (Kernel, error) {
	meta, err := a.Packages(ctx, metapackage)
	if err != nil {
		return Kernel{}, err
	}
	name := realPackage(meta[0].Depends)
	if name == "" {
		return Kernel{}, fmt.Errorf("package %s depends on no linux-image package (%q): is it a kernel metapackage?", metapackage, meta[0].Depends)
	}
	k := Kernel{Release: strings.TrimPrefix(name, imagePrefix)}
	if k.Packages, err = parts(ctx, a, name, k.Release); err != nil {
		return Kernel{}, err
	}
	if k.Root, err = together(k.Packages); err != nil {
		return Kernel{}, fmt.Errorf("kernel %s: %w", k.Release, err)
	}
	if k.Image, err = k.image(); err != nil {
		return Kernel{}, fmt.Errorf("package %s has no kernel: %w", name, err)
	}
	return k, nil
}

// image finds the kernel's image: up to Linux 6.12 it is in /boot, later with the modules.
func (k Kernel) image() (string, error) {
	name := filepath.Join(k.Root, "boot", "vmlinuz-"+k.Release)
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	name = filepath.Join(k.modulesDir(k.Root), "vmlinuz")
	_, err := os.Stat(name)
	return name, err
}

// modulesDir is the folder of the kernel's modules below the root of an unpacked kernel or of an image.
func (k Kernel) modulesDir(root string) string {
	return filepath.Join(root, "usr/lib/modules", k.Release)
}
