package devices

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// folder is where the resource's folder is, with the nodes that containers get.
func (c Config) folder(r Resource) string { return filepath.Join(c.Folders, r.Folder) }

// fillFolder has the resource's folder hold nodes, which are all that may be given away, and no others. Nodes stay as they are: a name at USB is
// always the same device number.
func (c Config) fillFolder(r Resource, nodes []string) error {
	if err := os.MkdirAll(c.folder(r), 0o755); err != nil {
		return err
	}
	err := filepath.WalkDir(c.folder(r), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if name, err := filepath.Rel(c.Folders, file); err != nil || slices.Contains(nodes, name) {
			return err
		}
		return os.Remove(file)
	})
	if err != nil {
		return err
	}
	for _, name := range nodes {
		clone := filepath.Join(c.Folders, name)
		if err := os.MkdirAll(filepath.Dir(clone), 0o755); err != nil {
			return err
		}
		// One that was just pulled out has no node to clone.
		if err := c.clone(filepath.Join(c.Dev, name), clone); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("make the device node %s: %w", clone, err)
		}
	}
	return nil
}

func (c Config) clone(node, clone string) error {
	if c.Clone != nil {
		return c.Clone(node, clone)
	}
	var st unix.Stat_t
	if err := unix.Stat(node, &st); err != nil {
		return err
	}
	return unix.Mknod(clone, st.Mode, int(st.Rdev))
}
