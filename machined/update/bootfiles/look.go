package bootfiles

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	index "github.com/coracle-os/coracle/images/bootfiles"
)

// look finds out what BOOT is like, as far as the index concerns it.
func look(ctx context.Context, boot folder, files []index.File) (onBoot, error) {
	on := onBoot{sums: map[string]string{}}
	var err error
	if _, on.cluster, err = boot.free(); err != nil {
		return on, err
	}
	if on.cluster == 0 {
		return on, errors.New("the kernel does not know the size of its clusters")
	}
	var folders []string
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return on, err
		}
		sum, err := sumOf(boot, f.Path)
		if err == nil {
			on.sums[f.Path] = sum
		} else if !errors.Is(err, fs.ErrNotExist) {
			return on, err
		}
		if dir := path.Dir(f.Path); !slices.Contains(folders, dir) {
			folders = append(folders, dir)
		}
	}
	for _, dir := range folders {
		left, err := leftovers(boot, dir)
		if err != nil {
			return on, err
		}
		on.leftovers = append(on.leftovers, left...)
	}
	return on, nil
}

func sumOf(boot folder, p string) (string, error) {
	f, err := boot.open(p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", p, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// errShared is that two names have the same content on the disk.
var errShared = errors.New("are at the same place on the disk")

// leftovers are the temporary files in a folder that can be removed. One that shares its clusters with another file cannot: they would be
// free, and the next file that is written would take them. docs/decisions/0110 says how that can come about.
func leftovers(boot folder, dir string) ([]string, error) {
	names, err := boot.files(dir)
	if err != nil {
		return nil, err
	}
	var left []string
	for _, name := range names {
		if index.IsTemporary(name) {
			left = append(left, path.Join(dir, name))
		}
	}
	if len(left) == 0 {
		return nil, nil
	}
	owner := map[int64]string{}
	for _, name := range names {
		p := path.Join(dir, name)
		at, err := boot.place(p)
		if err != nil {
			return nil, fmt.Errorf("find %s on the disk: %w", p, err)
		}
		if other := owner[at]; at != 0 && other != "" {
			return nil, fmt.Errorf("%s and %s %w", other, p, errShared)
		}
		owner[at] = p
	}
	return left, nil
}
