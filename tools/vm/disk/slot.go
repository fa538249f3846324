package disk

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/diskfs/go-diskfs"
	"github.com/diskfs/go-diskfs/filesystem/fat32"

	"github.com/coracle-os/coracle/images/slot"
)

// RootOffset is where the root file system is in a slot image, in bytes.
func RootOffset(image string) (int64, error) {
	f, err := os.Open(image)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	head := make([]byte, 2048)
	for at := int64(slot.Align); ; at += slot.Align {
		if _, err := f.ReadAt(head, at); err != nil {
			return 0, fmt.Errorf("slot image %s has no root file system: %w", image, err)
		}
		if squashfs.in(head) || erofs.in(head) {
			return at, nil
		}
	}
}

// ChangeSlotFile replaces a file in the FAT of a slot image.
func ChangeSlotFile(image, name string, change func([]byte) []byte) error {
	size, err := RootOffset(image)
	if err != nil {
		return err
	}
	d, err := diskfs.Open(image, diskfs.WithOpenMode(diskfs.ReadWrite))
	if err != nil {
		return fmt.Errorf("open slot image %s: %w", image, err)
	}
	defer d.Close()
	fs, err := fat32.Read(d.Backend, size, 0, 0)
	if err != nil {
		return fmt.Errorf("slot image %s: %w", image, err)
	}
	f, err := fs.OpenFile(name, os.O_RDONLY)
	if err != nil {
		return fmt.Errorf("slot image %s: open %s: %w", image, name, err)
	}
	content, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("slot image %s: read %s: %w", image, name, err)
	}
	if err := fs.Remove(name); err != nil {
		return fmt.Errorf("slot image %s: remove %s: %w", image, name, err)
	}
	return writeFile(fs, name, change(content))
}
