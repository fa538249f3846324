package main

import (
	"fmt"
	"os"
	"path"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/squashfs"

	"github.com/coracle-os/coracle/tools/vm/disk"
)

// programFolders are where the root has our programs.
var programFolders = []string{"usr/bin", "opt/cni/bin"}

// measureSizes looks at an image and at its compressed form beside it.
func measureSizes(image string) (sizes, error) {
	b := sizes{Binaries: map[string]int64{}}
	zst, err := os.Stat(image + ".zst")
	if err != nil {
		return b, fmt.Errorf("size of the compressed image: %w", err)
	}
	b.ImageZst = zst.Size()
	root, err := disk.Root(image)
	if err != nil {
		return b, err
	}
	b.Root = root.Size
	img, err := file.OpenFromPath(image, true)
	if err != nil {
		return b, err
	}
	defer img.Close()
	fsys, err := squashfs.Read(img, root.Size, root.Start, 0)
	if err != nil {
		return b, fmt.Errorf("open the root in %s: %w", image, err)
	}
	for _, folder := range programFolders {
		entries, err := fsys.ReadDir(folder)
		if err != nil {
			return b, fmt.Errorf("list /%s in the root of %s: %w", folder, image, err)
		}
		for _, e := range entries {
			if !e.Type().IsRegular() {
				continue
			}
			info, err := e.Info()
			if err != nil {
				return b, fmt.Errorf("/%s: %w", path.Join(folder, e.Name()), err)
			}
			b.Binaries[e.Name()] = info.Size()
		}
	}
	return b, nil
}
