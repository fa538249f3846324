package oci

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/tools/imager/definition"
)

// Definition is a container image's YAML file, in images/containers.
type Definition struct {
	Name       string               `yaml:"name"`                 // full name with a tag
	Entrypoint []string             `yaml:"entrypoint,omitempty"` //
	Command    []string             `yaml:"command,omitempty"`    // default arguments
	Env        []string             `yaml:"env,omitempty"`        // NAME=value
	User       string               `yaml:"user,omitempty"`       // UID:GID; empty is root
	Go         []definition.Program `yaml:"go,omitempty"`         // programs that are built
	Files      []DefinedFile        `yaml:"files,omitempty"`      //
	Links      []Links              `yaml:"links,omitempty"`      //
}

// DefinedFile is a file or folder. Exactly one of Debian, Content and Folder is set.
type DefinedFile struct {
	Path    string          `yaml:"path"`              // absolute
	Mode    definition.Mode `yaml:"mode,omitempty"`    // 0644, for folders 0755, if not set
	Debian  string          `yaml:"debian,omitempty"`  // PACKAGE:PATH
	Content string          `yaml:"content,omitempty"` // text
	Folder  bool            `yaml:"folder,omitempty"`  // an empty folder
}

// Links are many names for one program.
type Links struct {
	Folder string   `yaml:"folder"` // absolute
	Target string   `yaml:"target"` // where the links point
	Names  []string `yaml:"names"`
}

// Load reads and checks the definition in the file name. Its error names every problem, by file and line.
func Load(name string) (*Definition, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read container image definition: %w", err)
	}
	return Parse(name, data)
}

// Parse checks data, the content of the file name, as [Load] does.
func Parse(name string, data []byte) (*Definition, error) {
	d := &Definition{}
	doc, err := strict.Decode(name, data, d)
	if err != nil {
		return nil, err
	}
	if problems := d.problems(doc); len(problems) > 0 {
		return nil, problems.Sorted()
	}
	return d, nil
}

func (d *Definition) problems(doc *strict.Document) (problems strict.Problems) {
	fail := func(field, format string, args ...any) {
		problems = append(problems, doc.Problem(field, format, args...))
	}
	absolute := func(field, name string) {
		if !path.IsAbs(name) || path.Clean(name) != name {
			fail(field, "%q is not a clean absolute path", name)
		}
	}
	if !strings.Contains(d.Name, "/") || !strings.Contains(path.Base(d.Name), ":") {
		fail("name", "%q is not a full name with a tag, such as coracle.local/pause:1", d.Name)
	}
	for i, p := range d.Go {
		absolute(fmt.Sprintf("go[%d].path", i), p.Path)
		if p.Package == "" {
			fail(fmt.Sprintf("go[%d].package", i), "is missing")
		}
	}
	for i, f := range d.Files {
		field := fmt.Sprintf("files[%d]", i)
		absolute(field+".path", f.Path)
		sources := 0
		for _, set := range []bool{f.Debian != "", f.Content != "", f.Folder} {
			if set {
				sources++
			}
		}
		if sources != 1 {
			fail(field, "should have one of debian, content and folder")
		}
		if pkg, file, _ := strings.Cut(f.Debian, ":"); f.Debian != "" && (!definition.IsPackageName(pkg) || !path.IsAbs(file)) {
			fail(field+".debian", "%q is not PACKAGE:/PATH", f.Debian)
		}
	}
	for i, l := range d.Links {
		absolute(fmt.Sprintf("links[%d].folder", i), l.Folder)
		if l.Target == "" {
			fail(fmt.Sprintf("links[%d].target", i), "is missing")
		}
	}
	return problems
}

// Sources get what a definition names.
type Sources struct {
	Program func(ctx context.Context, p definition.Program) (file string, err error) // builds it
	Debian  func(pkg string) (root string, err error)                                // folder of the unpacked package
}

// Image collects the files of the image.
func (d *Definition) Image(ctx context.Context, arch string, created time.Time, from Sources) (Image, error) {
	i := Image{
		Name: d.Name, Arch: arch, Entrypoint: d.Entrypoint, Command: d.Command, Env: d.Env, User: d.User, Created: created,
	}
	for _, p := range d.Go {
		file, err := from.Program(ctx, p)
		if err != nil {
			return i, fmt.Errorf("container image %s: %w", d.Name, err)
		}
		i.Files = append(i.Files, File{Path: p.Path, Mode: 0o755, Source: file})
	}
	for _, f := range d.Files {
		file := File{Path: f.Path, Mode: int64(f.Mode), Data: []byte(f.Content), Folder: f.Folder}
		switch {
		case file.Mode == 0 && f.Folder:
			file.Mode = 0o755
		case file.Mode == 0:
			file.Mode = 0o644
		}
		if pkg, name, ok := strings.Cut(f.Debian, ":"); ok {
			root, err := from.Debian(pkg)
			if err != nil {
				return i, fmt.Errorf("container image %s: %w", d.Name, err)
			}
			file.Source = filepath.Join(root, name)
		}
		i.Files = append(i.Files, file)
	}
	for _, l := range d.Links {
		for _, name := range l.Names {
			i.Files = append(i.Files, File{Path: path.Join(l.Folder, name), Symlink: l.Target})
		}
	}
	return i, nil
}
