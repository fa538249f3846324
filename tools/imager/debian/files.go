package debian

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// File is a file or symlink of a package, taken for a root.
type File struct {
	Path    string      // in the root, absolute
	Source  string      // unpacked file on the build host; empty for a symlink
	Link    string      // where a symlink points
	Mode    fs.FileMode // permission bits of a file
	Package Package
}

// Picker takes files out of unpacked packages, with all that they link to. Libraries are found in any of the packages.
type Picker struct {
	libraries []string // folders that the dynamic loader searches
	index     map[string]File
	taken     map[string]File
}

// NewPicker makes a picker over packages, usually a closure, for the architecture with the GNU triplet.
func NewPicker(triplet string, packages ...Package) (*Picker, error) {
	p := &Picker{
		libraries: []string{"/usr/lib/" + triplet, "/usr/lib"},
		index:     map[string]File{}, taken: map[string]File{},
	}
	for _, pkg := range packages {
		if err := p.add(pkg); err != nil {
			return nil, fmt.Errorf("list the files of package %s: %w", pkg.Name, err)
		}
	}
	return p, nil
}

// add indexes one package's files.
func (p *Picker) add(pkg Package) error {
	return filepath.WalkDir(pkg.Root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == filepath.Join(pkg.Root, ".sha256") {
			return err
		}
		rel, err := filepath.Rel(pkg.Root, name)
		if err != nil {
			return err
		}
		f := File{Path: merged("/" + rel), Package: pkg}
		if d.Type()&fs.ModeSymlink != 0 {
			if f.Link, err = os.Readlink(name); err != nil {
				return err
			}
		} else {
			info, err := d.Info()
			if err != nil {
				return err
			}
			f.Source, f.Mode = name, info.Mode().Perm()
		}
		p.index[f.Path] = f
		return nil
	})
}

// merged is where a path is when /bin, /sbin, /lib and /lib64 are symlinks into /usr.
func merged(name string) string {
	first, _, _ := strings.Cut(name[1:], "/")
	switch first {
	case "bin", "sbin", "lib", "lib64":
		return "/usr" + name
	}
	return name
}

// Take takes the files of package pkg that match the pattern, and what they need.
func (p *Picker) Take(pkg, pattern string) error {
	pattern = merged(pattern)
	found := false
	for _, name := range slices.Sorted(maps.Keys(p.index)) {
		if ok, err := path.Match(pattern, name); err != nil {
			return fmt.Errorf("pattern %q: %w", pattern, err)
		} else if !ok || p.index[name].Package.Name != pkg {
			continue
		}
		found = true
		if err := p.take(name); err != nil {
			return fmt.Errorf("package %s: %w", pkg, err)
		}
	}
	if !found {
		return fmt.Errorf("package %s has no file %s", pkg, pattern)
	}
	return nil
}

// Match lists the paths in package pkg that match the pattern, without taking them.
func (p *Picker) Match(pkg, pattern string) []File {
	var files []File
	for _, name := range slices.Sorted(maps.Keys(p.index)) {
		if ok, _ := path.Match(merged(pattern), name); ok && p.index[name].Package.Name == pkg {
			files = append(files, p.index[name])
		}
	}
	return files
}

// Taken lists what was taken, by path.
func (p *Picker) Taken() []File {
	var files []File
	for _, name := range slices.Sorted(maps.Keys(p.taken)) {
		files = append(files, p.taken[name])
	}
	return files
}

var errMissing = errors.New("is in none of the packages")

func (p *Picker) take(name string) error {
	if _, ok := p.taken[name]; ok {
		return nil
	}
	f, ok := p.index[name]
	if !ok {
		return fmt.Errorf("%s %w", name, errMissing)
	}
	p.taken[name] = f
	if f.Source == "" {
		target := f.Link
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(name), target)
		}
		if err := p.take(merged(path.Clean(target))); err != nil {
			return fmt.Errorf("symlink %s: %w", name, err)
		}
		return nil
	}
	l, err := readLinks(f.Source, f.Path)
	if err != nil {
		return err
	}
	if l.interpreter != "" {
		if err := p.take(merged(path.Clean(l.interpreter))); err != nil {
			return fmt.Errorf("loader of %s: %w", name, err)
		}
	}
	for _, library := range l.needed {
		if err := p.takeLibrary(library, l.runPath); err != nil {
			return fmt.Errorf("library %s of %s: %w", library, name, err)
		}
	}
	return nil
}

// takeLibrary takes the first library of that name on the dynamic loader's way.
func (p *Picker) takeLibrary(library string, runPath []string) error {
	for _, dir := range slices.Concat(runPath, p.libraries) {
		name := merged(path.Join(dir, library))
		if _, ok := p.index[name]; ok {
			return p.take(name)
		}
	}
	return errMissing
}
