// Package rootfs lays out the root file system of an image in a folder, checks it and packs it.
//
// Who owns the files of the folder and when they were changed does not matter: all is packed as root's and with one
// date. So no root is needed, and a build repeats byte for byte.
package rootfs

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// Tree is a root file system in the making, in a folder of the build host. Paths are those in the root.
type Tree struct{ Dir string }

// mergedUsr are the symlinks that make /usr hold all programs and libraries (file-hierarchy(7)).
var mergedUsr = []string{"bin", "sbin", "lib", "lib64"}

// NewTree empties dir and begins a root in it, with a merged /usr.
func NewTree(dir string) (*Tree, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	t := &Tree{Dir: dir}
	for _, name := range mergedUsr {
		if err := t.Folder("/usr/"+name, 0o755); err != nil {
			return nil, err
		}
		if err := t.Symlink("/"+name, "usr/"+name); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Host is where the path of the root is on the build host.
func (t *Tree) Host(name string) string { return filepath.Join(t.Dir, filepath.FromSlash(name)) }

// Folder makes a folder and those above it.
func (t *Tree) Folder(name string, mode fs.FileMode) error {
	if name == "/" || name == "." {
		return os.MkdirAll(t.Dir, 0o755)
	}
	if err := t.parents(name); err != nil {
		return err
	}
	if err := os.Mkdir(t.Host(name), 0o755); err != nil && !os.IsExist(err) {
		return err
	}
	return os.Chmod(t.Host(name), unixMode(mode)) // whatever the umask is
}

func (t *Tree) parents(name string) error {
	parent := path.Dir(name)
	if info, err := os.Lstat(t.Host(parent)); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is not a folder, so %s cannot be below it", parent, name)
		}
		return nil
	}
	return t.Folder(parent, 0o755)
}

// unixMode translates the bits of chmod(2) into Go's.
func unixMode(mode fs.FileMode) fs.FileMode {
	m := mode.Perm()
	for bit, is := range map[fs.FileMode]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if mode&bit != 0 {
			m |= is
		}
	}
	return m
}

// Write writes a file.
func (t *Tree) Write(name string, content []byte, mode fs.FileMode) error {
	if err := t.fresh(name); err != nil {
		return err
	}
	if err := os.WriteFile(t.Host(name), content, 0o600); err != nil {
		return err
	}
	return os.Chmod(t.Host(name), unixMode(mode))
}

// Copy copies a file of the build host.
func (t *Tree) Copy(name, from string, mode fs.FileMode) error {
	if err := t.fresh(name); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(t.Host(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return fmt.Errorf("copy %s to %s: %w", from, name, err)
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Chmod(t.Host(name), unixMode(mode))
}

// Symlink makes a link to target.
func (t *Tree) Symlink(name, target string) error {
	if err := t.fresh(name); err != nil {
		return err
	}
	return os.Symlink(target, t.Host(name))
}

// fresh makes the folder for name and refuses to put a second thing there.
func (t *Tree) fresh(name string) error {
	if err := t.parents(name); err != nil {
		return err
	}
	if _, err := os.Lstat(t.Host(name)); err == nil {
		return fmt.Errorf("%s is put into the root twice", name)
	}
	return nil
}

// Overlay lays the files of a folder of the build host over the root. What they replace is kept below the folder kept.
func (t *Tree) Overlay(dir, kept string) error {
	return filepath.WalkDir(dir, func(from string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, from)
		if err != nil {
			return err
		}
		name := "/" + filepath.ToSlash(rel)
		if _, err := os.Lstat(t.Host(name)); err == nil {
			if err := t.parents(kept + name); err != nil {
				return err
			}
			if err := os.Rename(t.Host(name), t.Host(kept+name)); err != nil {
				return err
			}
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return t.Copy(name, from, info.Mode().Perm())
	})
}
