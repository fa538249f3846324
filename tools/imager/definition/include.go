package definition

import (
	"fmt"
	"slices"

	"github.com/coracle-os/coracle/machined/config/strict"
)

// part is one file of a definition.
type part struct {
	Definition
	doc *strict.Document
}

func decode(name string, data []byte) (part, error) {
	var p part
	var err error
	p.doc, err = strict.Decode(name, data, &p.Definition)
	return p, err
}

// included reads the files that d includes. They are parts of definitions: a file that is one itself, or includes others, is none.
func (p part) included(read func(string) ([]byte, error)) ([]part, strict.Problems) {
	var parts []part
	var problems strict.Problems
	for i, name := range p.Include {
		fail := func(format string, args ...any) {
			problems = append(problems, p.doc.Problem(fmt.Sprintf("include[%d]", i), format, args...))
		}
		data, err := read(name)
		if err != nil {
			fail("%v", err)
			continue
		}
		other, err := decode(name, data)
		if found, ok := err.(strict.Problems); ok {
			problems = append(problems, found...)
			continue
		} else if err != nil {
			fail("%v", err)
			continue
		}
		if other.doc.Has("arch") || other.doc.Has("flavour") || other.doc.Has("include") {
			fail("%s has the field arch, flavour or include: it is not a part that others can include", name)
		}
		parts = append(parts, other)
	}
	return parts, problems
}

// merge is p with what the included parts have: their lists come first, and what is not a list counts where p is silent.
func (p part) merge(included []part) *Definition {
	d := p.Definition
	d.Include = nil
	for _, other := range slices.Backward(included) {
		d.Kernel.Modules.Initramfs = slices.Concat(other.Kernel.Modules.Initramfs, d.Kernel.Modules.Initramfs)
		d.Kernel.Modules.Root = slices.Concat(other.Kernel.Modules.Root, d.Kernel.Modules.Root)
		d.Firmware.Packages = slices.Concat(other.Firmware.Packages, d.Firmware.Packages)
		d.Packages = slices.Concat(other.Packages, d.Packages)
		d.Go = slices.Concat(other.Go, d.Go)
		d.Containers = slices.Concat(other.Containers, d.Containers)
		d.Files = slices.Concat(other.Files, d.Files)
		d.Services = slices.Concat(other.Services, d.Services)
		d.Trust = slices.Concat(other.Trust, d.Trust)
	}
	set := p.doc.Has
	for _, other := range included {
		for _, field := range []struct {
			name string
			take func()
		}{
			{"debian", func() { d.Debian = other.Debian }},
			{"kernel.package", func() { d.Kernel.Package = other.Kernel.Package }},
			{"kernel.suite", func() { d.Kernel.Suite = other.Kernel.Suite }},
			{"kernel.arguments", func() { d.Kernel.Arguments = other.Kernel.Arguments }},
			{"initramfs.init", func() { d.Initramfs = other.Initramfs }},
			{"root.format", func() { d.Root.Format = other.Root.Format }},
			{"root.compression", func() { d.Root.Compression = other.Root.Compression }},
			{"root.level", func() { d.Root.Level = other.Root.Level }},
			{"root.block", func() { d.Root.Block = other.Root.Block }},
			{"root.limit", func() { d.Root.Limit = other.Root.Limit }},
			{"root.hash", func() { d.Root.Hash = other.Root.Hash }},
			{"disk", func() { d.Disk = other.Disk }},
			{"minimumVersion", func() { d.MinimumVersion = other.MinimumVersion }},
		} {
			if other.doc.Has(field.name) && !set(field.name) {
				field.take()
			}
		}
	}
	return &d
}
