package devices

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fsnotify/fsnotify"
)

// nodes are the resource's that are there now, by their names below /dev.
func (c Config) nodes(r Resource) ([]string, error) {
	all, err := c.all(r)
	return r.counted(all), err
}

// all are the nodes that fit the resource's patterns, those that do not count too; but none that the machine has mounted.
func (c Config) all(r Resource) ([]string, error) {
	var nodes []string
	for _, pattern := range r.Nodes {
		names, _ := fs.Glob(os.DirFS(c.Dev), pattern) // what cannot be read is not there
		for _, name := range names {
			info, err := os.Lstat(filepath.Join(c.Dev, name))
			if err == nil && c.isDevice(info.Mode()) {
				nodes = append(nodes, name)
			}
		}
	}
	if !r.Disks || len(nodes) == 0 {
		return nodes, nil
	}
	mounted, err := c.mounted()
	if err != nil {
		return nil, fmt.Errorf("%s: which disks are in use: %w", r.FullName(), err)
	}
	return slices.DeleteFunc(nodes, func(name string) bool { return mounted[name] }), nil
}

func (c Config) isDevice(mode fs.FileMode) bool {
	if c.IsDevice != nil {
		return c.IsDevice(mode)
	}
	return mode&fs.ModeCharDevice != 0
}

// folders are where nodes of the resources come and go: names and patterns below /dev, "." for itself, outer ones first.
func folders(resources []Resource) []string {
	var all []string
	for _, r := range resources {
		for _, pattern := range r.Nodes {
			for dir := path.Dir(pattern); !slices.Contains(all, dir); dir = path.Dir(dir) {
				all = append(all, dir)
			}
		}
	}
	depth := func(dir string) int {
		if dir == "." {
			return -1
		}
		return strings.Count(dir, "/")
	}
	slices.SortStableFunc(all, func(a, b string) int { return depth(a) - depth(b) })
	return all
}

// watchFolders watches those that are there. An outer folder is watched before it is looked into, so that nothing that appears
// in between is missed: it is an event.
func (c Config) watchFolders(watcher *fsnotify.Watcher) error {
	for _, pattern := range folders(Resources) {
		names, _ := fs.Glob(os.DirFS(c.Dev), pattern)
		for _, name := range names {
			dir := filepath.Join(c.Dev, name)
			if err := watcher.Add(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("watch %s for devices: %w", dir, err)
			}
		}
	}
	return nil
}

// concerns is whether an event is about a device of a resource, or about a folder where there may be some.
func (c Config) concerns(e fsnotify.Event) bool {
	if !e.Has(fsnotify.Create | fsnotify.Remove | fsnotify.Rename) {
		return false
	}
	name, err := filepath.Rel(c.Dev, e.Name)
	return err == nil &&
		(matches(folders(Resources), name) || slices.ContainsFunc(Resources, func(r Resource) bool { return r.has(name) }))
}
