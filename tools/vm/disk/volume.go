package disk

import (
	"fmt"
	"os"
	"path"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
)

// File is a file of a volume.
type File struct {
	Name string // slash-separated path on the volume
	Path string // where its content is on the host
}

// volumeLabel is what Coracle looks for on attached volumes.
const volumeLabel = "CORACLE"

// minVolume is the smallest volume that is FAT32 with clusters of 512 bytes and not FAT16, in bytes.
const minVolume = 40 << 20

// Volume makes a FAT32 image at path, labelled CORACLE and without a partition table, that holds files.
func Volume(path string, files []File) (err error) {
	size := int64(minVolume)
	for _, f := range files {
		info, err := os.Stat(f.Path)
		if err != nil {
			return fmt.Errorf("file for volume: %w", err)
		}
		size += info.Size()
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	b, err := file.CreateFromPath(path, (size+chunk-1)/chunk*chunk)
	if err != nil {
		return fmt.Errorf("create volume %s: %w", path, err)
	}
	defer b.Close()
	if err := fillVolume(b, files); err != nil {
		return fmt.Errorf("make volume %s: %w", path, err)
	}
	return nil
}

func fillVolume(b backend.Storage, files []File) error {
	info, err := b.Stat()
	if err != nil {
		return err
	}
	fs, err := fat32.Create(b, info.Size(), 0, 512, volumeLabel, true)
	if err != nil {
		return err
	}
	for _, f := range files {
		content, err := os.ReadFile(f.Path)
		if err != nil {
			return err
		}
		if dir := path.Dir(f.Name); dir != "." {
			if err := fs.Mkdir(dir); err != nil {
				return fmt.Errorf("create folder %s: %w", dir, err)
			}
		}
		if err := writeFile(fs, f.Name, content); err != nil {
			return err
		}
	}
	return nil
}
