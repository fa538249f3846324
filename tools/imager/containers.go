package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/coracle-os/coracle/tools/imager/definition"
	"github.com/coracle-os/coracle/tools/imager/oci"
)

// makeContainer builds a container image into the file that [builder.containerFile] names.
func (b *builder) makeContainer(ctx context.Context, c definition.Container) (string, error) {
	d, err := oci.Load(filepath.Join(b.source.Dir, c.Definition))
	if err != nil {
		return "", err
	}
	image, err := d.Image(ctx, b.arch.GOARCH, b.source.Time, oci.Sources{
		Program: func(ctx context.Context, p definition.Program) (string, error) { return b.containerProgram(ctx, c, p) },
		Debian:  func(pkg string) (string, error) { return b.containerPackage(ctx, c, pkg) },
	})
	if err != nil {
		return "", err
	}
	out := b.containerFile(c)
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	_, err = oci.Write(out, image)
	return describe(out, false, err)
}

// containerFile is where a container image is built. Those that are not in the root are for tests.
func (b *builder) containerFile(c definition.Container) string {
	if c.Path != "" {
		return filepath.Join(b.inWork("containers"), filepath.Base(c.Path))
	}
	return filepath.Join(b.out, "test", b.arch.Name, containerName(c)+".tar")
}

// containerName is the definition's file name without its ending.
func containerName(c definition.Container) string {
	return strings.TrimSuffix(filepath.Base(c.Definition), filepath.Ext(c.Definition))
}

func (b *builder) containerProgram(ctx context.Context, c definition.Container, p definition.Program) (string, error) {
	out := filepath.Join(b.inWork("bin"), "containers", containerName(c), p.Path)
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	if err := b.source.Build(ctx, b.arch, p, b.inWork("sysroot"), out); err != nil {
		return "", err
	}
	if c.Path != "" {
		b.programs[filepath.Join("containers", containerName(c), p.Path)] = out
	}
	return out, nil
}

func (b *builder) containerPackage(ctx context.Context, c definition.Container, name string) (string, error) {
	packages, err := b.archive.Packages(ctx, name)
	if err != nil {
		return "", err
	}
	if c.Path != "" {
		b.ship(packages[0])
	}
	return packages[0].Root, nil
}

// layContainers puts the container images into the root that belong there.
func (b *builder) layContainers(context.Context) error {
	for _, c := range b.definition.Containers {
		if c.Path == "" {
			continue
		}
		if err := b.root.Copy(c.Path, b.containerFile(c), 0o644); err != nil {
			return fmt.Errorf("container image %s: %w", c.Definition, err)
		}
	}
	return nil
}
