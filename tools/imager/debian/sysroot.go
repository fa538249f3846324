package debian

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// sysrootFolders are those of a package that a C compiler looks into.
var sysrootFolders = []string{"usr/include", "usr/lib", "usr/share/pkgconfig"}

// Sysroot fills the folder dir with the headers and libraries of the named packages and of all that they depend on, for a C
// compiler on the build host. It returns all of those packages.
func (a *Archive) Sysroot(ctx context.Context, dir string, names ...string) ([]Package, error) {
	packages, err := a.Closure(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("C libraries: %w", err)
	}
	if err := Merge(dir, packages, sysrootFolders...); err != nil {
		return nil, fmt.Errorf("C libraries: %w", err)
	}
	return packages, nil
}

// Merge fills the folder dir, and nothing else is left in it, with these folders of all packages, as if they were installed there.
func Merge(dir string, packages []Package, folders ...string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, p := range packages {
		for _, folder := range folders {
			if err := copyFolder(filepath.Join(p.Root, folder), filepath.Join(dir, folder)); err != nil {
				return fmt.Errorf("package %s: %w", p.Name, err)
			}
		}
	}
	return nil
}

// copyFolder copies files and symlinks of the folder from into the folder to, which may have others. Files are linked where that is
// possible: nobody changes them.
func copyFolder(from, to string) error {
	if _, err := os.Stat(from); os.IsNotExist(err) {
		return nil
	}
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(name)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case os.Link(name, target) == nil:
			return nil
		}
		return copyFile(name, target)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return out.Close()
}

// Find finds a package in a list.
func Find(packages []Package, name string) (Package, error) {
	i := slices.IndexFunc(packages, func(p Package) bool { return p.Name == name })
	if i < 0 {
		return Package{}, fmt.Errorf("package %s is not among those that were fetched", name)
	}
	return packages[i], nil
}
