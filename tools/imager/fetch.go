package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/tools/imager/debian"
	"github.com/coracle-os/coracle/tools/imager/definition"
	"github.com/coracle-os/coracle/tools/imager/disk"
	"github.com/coracle-os/coracle/tools/imager/gobuild"
	"github.com/coracle-os/coracle/tools/imager/kernel"
	"github.com/coracle-os/coracle/tools/imager/rootfs"
)

// inspect finds out what is built.
func (b *builder) inspect(ctx context.Context) (string, error) {
	var err error
	b.source, err = gobuild.Inspect(ctx, b.source.Dir)
	if v := b.options.version; v != "" {
		if !artifact.IsVersion(v) {
			return "", fmt.Errorf("--version %q is not a semantic version such as 1.2.3", v)
		}
		b.source.Version = v
	}
	return fmt.Sprintf("%s, Kubernetes %s, %s", b.source.Version, b.source.Kubernetes, b.source.Go), err
}

// fetch gets the Debian packages that files are taken from, the kernel, and the build tools.
func (b *builder) fetch(ctx context.Context) (string, error) {
	var err error
	if b.archive, err = debian.Open(ctx, debian.Options{
		Suite: b.definition.Debian.Suite, Components: b.definition.Debian.Components, Arch: b.arch.Name, Cache: b.cache,
		Complete: b.options.release,
		Warn:     func(what string, err error) { fmt.Fprintf(os.Stderr, "\nwarning: %s: %v\n", what, err) },
	}); err != nil {
		return "", err
	}
	d := b.definition
	var linked []string
	for _, p := range d.Packages {
		linked = append(linked, p.Name)
	}
	closure, err := b.archive.Closure(ctx, linked...)
	if err != nil {
		return "", err
	}
	if b.files, err = debian.NewPicker(b.arch.Triplet, closure...); err != nil {
		return "", err
	}
	data, err := b.archive.Packages(ctx, dataPackages(d)...)
	if err != nil {
		return "", err
	}
	if b.plain, err = debian.NewPicker(b.arch.Triplet, data...); err != nil {
		return "", err
	}
	if err := b.fetchKernel(ctx); err != nil {
		return "", err
	}
	if err := b.fetchBoards(ctx); err != nil {
		return "", err
	}
	if libraries := b.cLibraries(); len(libraries) > 0 {
		if b.linked, err = b.archive.Sysroot(ctx, b.inWork("sysroot"), libraries...); err != nil {
			return "", err
		}
	}
	if err := b.fetchTools(ctx); err != nil {
		return "", err
	}
	used := len(b.archive.Used())
	if b.kernelArchive != b.archive {
		used += len(b.kernelArchive.Used())
	}
	return fmt.Sprintf("%d packages, kernel %s", used, b.kernel.Release), nil
}

// fetchKernel gets the kernel, which may be of another suite than all else.
func (b *builder) fetchKernel(ctx context.Context) error {
	b.kernelArchive = b.archive
	k := b.definition.Kernel
	if k.Suite != "" {
		var err error
		if b.kernelArchive, err = b.archive.OtherSuite(ctx, k.Suite); err != nil {
			return fmt.Errorf("suite of the kernel: %w", err)
		}
	}
	var err error
	if b.kernel, err = kernel.Fetch(ctx, b.kernelArchive, k.Package); err != nil {
		return err
	}
	for _, p := range b.kernel.Packages {
		b.ship(p)
	}
	return nil
}

// cLibraries are the packages with C libraries that programs are linked with.
func (b *builder) cLibraries() []string {
	var names []string
	for _, p := range b.definition.Go {
		names = append(names, p.CGO...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// fetchTools gets the programs that make file systems, indexes and boot loaders, for the build host's architecture.
func (b *builder) fetchTools(ctx context.Context) error {
	host, err := arch.Host()
	if err != nil {
		return err
	}
	archive, err := b.archive.For(ctx, host.Name)
	if err != nil {
		return err
	}
	loaders, err := b.archive.Packages(ctx, disk.BootPackages(b.arch.GOARCH)...)
	if err != nil {
		return err
	}
	names := slices.Concat(rootfs.Packages, disk.Packages, []string{"kmod"})
	if b.tools, err = archive.Tools(ctx, names...); err != nil {
		return err
	}
	// grub-mkimage is for modules of its own version. The package lists of two architectures may be of two days, or of two sets of suites.
	grub, err := debian.Find(b.tools.Packages(), disk.GRUBPackage)
	if err != nil {
		return err
	}
	if grub.SourceVersion != loaders[0].SourceVersion {
		names[slices.Index(names, disk.GRUBPackage)] += "=" + loaders[0].Version
		if b.tools, err = archive.Tools(ctx, names...); err != nil {
			return fmt.Errorf("%s for %s, of the version of %s for %s: %w", disk.GRUBPackage, host.Name, loaders[0].Name, b.arch.Name, err)
		}
	}
	b.tools.Add(loaders...)
	return nil
}

// dataPackages are those of which no programs are taken, so that what they depend on is not needed.
func dataPackages(d *definition.Definition) []string {
	names := slices.Clone(d.Firmware.Packages)
	for _, f := range d.Files {
		if name, _, ok := strings.Cut(f.Concatenate, ":"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ship notes that the image has something of the package.
func (b *builder) ship(p debian.Package) {
	same := func(q debian.Package) bool { return p.Name == q.Name }
	if !slices.ContainsFunc(b.shipped, same) {
		b.shipped = append(b.shipped, p)
		slices.SortFunc(b.shipped, func(p, q debian.Package) int { return strings.Compare(p.Name, q.Name) })
	}
}
