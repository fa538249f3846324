package main

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/coracle-os/coracle/images/release"
	"github.com/coracle-os/coracle/tools/imager/debian"
	"github.com/coracle-os/coracle/tools/imager/disk"
	"github.com/coracle-os/coracle/tools/imager/sbom"
)

// definitionRecord is the resolved definition among the records.
const definitionRecord = "image.yml"

// makeRecords says in a folder what is in the image: the resolved definition, the SBOM and the licences.
func (b *builder) makeRecords(ctx context.Context) error {
	for _, p := range b.tools.Packages() {
		if p.Name == disk.GRUBPackage || slices.Contains(disk.BootPackages(b.arch.GOARCH), p.Name) {
			b.ship(p)
		}
	}
	programs, err := b.shippedPrograms()
	if err != nil {
		return err
	}
	base, err := b.archive.Packages(ctx, "base-files")
	if err != nil {
		return err
	}
	if err := sbom.Write(b.inWork("records"), sbom.Spec{
		Name: "coracle-" + b.image(), Version: b.source.Version, Created: b.source.Time, Repository: b.source.Dir, Missing: b.archive.Missing(),
		Debian: b.shipped, Programs: programs, CommonLicenses: filepath.Join(base[0].Root, "usr/share/common-licenses"),
	}); err != nil {
		return err
	}
	text, err := b.resolve()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.inWork("records"), definitionRecord), text, 0o644)
}

// shippedPrograms are the Go programs of the image, with the C libraries that are linked into them.
func (b *builder) shippedPrograms() ([]sbom.Program, error) {
	cgo := map[string][]string{}
	for _, p := range b.allPrograms() {
		cgo[p.Path] = p.CGO
	}
	var programs []sbom.Program
	for _, name := range slices.Sorted(maps.Keys(b.programs)) {
		p := sbom.Program{Path: name, File: b.programs[name]}
		for _, library := range cgo[name] {
			linked, err := debian.Find(b.linked, library)
			if err != nil {
				return nil, fmt.Errorf("C library of %s: %w", name, err)
			}
			p.Static = append(p.Static, linked)
		}
		programs = append(programs, p)
	}
	return programs, nil
}

// layRecords makes the records and puts them into the root. All else that the image has must be there before.
func (b *builder) layRecords(ctx context.Context) error {
	if err := b.makeRecords(ctx); err != nil {
		return err
	}
	records := b.inWork("records")
	return filepath.WalkDir(records, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(records, name)
		if err != nil {
			return err
		}
		return b.root.Copy(path.Join(path.Dir(release.Path), filepath.ToSlash(rel)), name, 0o644)
	})
}

// publishRecords puts the records beside the image.
func (b *builder) publishRecords() error {
	for name, ending := range map[string]string{definitionRecord: ".yml", sbom.DocumentName: ".spdx.json", sbom.LicensesName: ".licenses"} {
		to := b.path(ending)
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		from := filepath.Join(b.inWork("records"), name)
		if info, err := os.Stat(from); err == nil && info.IsDir() {
			if err := os.CopyFS(to, os.DirFS(from)); err != nil {
				return err
			}
			continue
		}
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
