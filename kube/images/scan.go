package images

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/containerd/platforms"
)

// scan reads the index of every archive in dir, in the order of their names.
func scan(dir string, platform platforms.Matcher) ([]archive, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var (
		archives []archive
		errs     []error
	)
	for _, e := range entries {
		if e.IsDir() || !isArchive(e.Name()) {
			continue
		}
		a, err := readArchive(filepath.Join(dir, e.Name()), platform)
		if err != nil {
			errs = append(errs, fmt.Errorf("image archive %s: %w", filepath.Join(dir, e.Name()), err))
			continue
		}
		if info, err := e.Info(); err == nil {
			a.size = info.Size()
		}
		archives = append(archives, a)
	}
	return archives, errors.Join(errs...)
}

// inOrder sorts archives: the one with Pause, then the small before the large.
func inOrder(archives []archive) {
	rank := func(a archive) int64 {
		if a.hasPause() {
			return -1
		}
		return a.size
	}
	slices.SortStableFunc(archives, func(a, b archive) int { return cmp.Compare(rank(a), rank(b)) })
}

func (a archive) hasPause() bool {
	return slices.ContainsFunc(a.images, func(i image) bool { return i.name == Pause })
}
