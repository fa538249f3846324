package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coracle-os/coracle/images/release"
	"github.com/coracle-os/coracle/tools/imager/debian"
	"github.com/coracle-os/coracle/tools/imager/definition"
	"github.com/coracle-os/coracle/tools/imager/rootfs"
)

// layRoot puts everything of the root into a folder.
func (b *builder) layRoot(ctx context.Context) (string, error) {
	var err error
	if b.root, err = rootfs.NewTree(b.inWork("root")); err != nil {
		return "", err
	}
	for _, part := range []func(context.Context) error{
		b.layPrograms, b.layContainers, b.layPackages, b.layModules, b.layFirmware, b.layFiles, b.layBootFiles, b.layBoards, b.layRelease, b.layTrust, b.layRecords,
		b.layOverlay,
	} {
		if err := part(ctx); err != nil {
			return "", err
		}
	}
	if err := b.root.Check(b.arch.GOARCH, b.arch.Triplet); err != nil {
		return "", err
	}
	total := int64(0)
	err = filepath.WalkDir(b.root.Dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				total += info.Size()
			}
		}
		return err
	})
	return size(total) + " unpacked", err
}

func (b *builder) layPrograms(context.Context) error {
	for _, p := range b.definition.Go {
		if err := b.root.Copy(p.Path, b.programs[p.Path], 0o755); err != nil {
			return err
		}
	}
	return nil
}

// layPackages takes the named files of packages, and the libraries that they need.
func (b *builder) layPackages(context.Context) error {
	for _, p := range b.definition.Packages {
		for _, pattern := range p.Files {
			if err := b.files.Take(p.Name, pattern); err != nil {
				return err
			}
		}
	}
	for _, f := range b.files.Taken() {
		if err := b.put(f); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) put(f debian.File) error {
	b.ship(f.Package)
	if f.Source == "" {
		return b.root.Symlink(f.Path, f.Link)
	}
	return b.root.Copy(f.Path, f.Source, f.Mode)
}

func (b *builder) layModules(ctx context.Context) error {
	return b.kernel.Install(ctx, b.tools.Command, b.modules.index, b.modules.root, b.root.Dir)
}

// layFirmware takes the firmware that the modules may ask for, as far as the firmware packages have it.
func (b *builder) layFirmware(context.Context) error {
	for _, name := range b.modules.firmware {
		for _, pkg := range b.definition.Firmware.Packages {
			if len(b.plain.Match(pkg, "/usr/lib/firmware/"+name)) > 0 {
				if err := b.plain.Take(pkg, "/usr/lib/firmware/"+name); err != nil {
					return err
				}
			}
		}
	}
	for _, f := range b.plain.Taken() {
		if err := b.put(f); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) layFiles(context.Context) error {
	for _, f := range b.definition.Files {
		if err := b.layFile(f); err != nil {
			return fmt.Errorf("file %s: %w", f.Path, err)
		}
	}
	return nil
}

func (b *builder) layFile(f definition.File) error {
	mode := func(ifNone fs.FileMode) fs.FileMode {
		if f.Mode != 0 {
			return fs.FileMode(f.Mode)
		}
		return ifNone
	}
	switch {
	case f.Folder:
		return b.root.Folder(f.Path, mode(0o755))
	case f.Symlink != "":
		return b.root.Symlink(f.Path, f.Symlink)
	case f.Source != "":
		return b.root.Copy(f.Path, filepath.Join(b.source.Dir, f.Source), mode(0o644))
	case f.Concatenate != "":
		content, err := b.concatenate(f.Concatenate)
		if err != nil {
			return err
		}
		return b.root.Write(f.Path, content, mode(0o644))
	}
	return b.root.Write(f.Path, []byte(f.Content), mode(0o644))
}

// concatenate joins the files of a package, given as PACKAGE:PATTERN.
func (b *builder) concatenate(spec string) ([]byte, error) {
	pkg, pattern, _ := strings.Cut(spec, ":")
	var all []byte
	for _, f := range b.plain.Match(pkg, pattern) {
		content, err := os.ReadFile(f.Source)
		if err != nil {
			return nil, err
		}
		all = append(all, content...)
		if len(content) > 0 && content[len(content)-1] != '\n' {
			all = append(all, '\n')
		}
		b.ship(f.Package)
	}
	if all == nil {
		return nil, fmt.Errorf("package %s has no file %s", pkg, pattern)
	}
	return all, nil
}

// layRelease says in the root what it is, for Coracle's programs and for everybody's.
func (b *builder) layRelease(context.Context) error {
	text, err := json.MarshalIndent(release.Release{
		Version: b.source.Version, Arch: b.arch.GOARCH, Flavour: b.definition.Flavour, Kubernetes: b.source.Kubernetes, Kernel: b.kernel.Release,
		BuildTime: b.source.Time.Unix(),
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := b.root.Write(release.Path, append(text, '\n'), 0o644); err != nil {
		return err
	}
	osRelease := fmt.Sprintf("NAME=Coracle\nID=coracle\nVERSION_ID=%q\nPRETTY_NAME=\"Coracle %s (Kubernetes %s)\"\n",
		b.source.Version, b.source.Version, b.source.Kubernetes)
	return b.root.Write("/usr/lib/os-release", []byte(osRelease), 0o644)
}

// layOverlay puts files over those of the root, for images that test something. What was there before is kept in /overlaid.
func (b *builder) layOverlay(context.Context) error {
	if b.options.overlay == "" {
		return nil
	}
	return b.root.Overlay(b.options.overlay, "/overlaid")
}
