package main

import (
	"context"
	"fmt"
	"os"
	"path"

	"github.com/coracle-os/coracle/images/bootfiles"
	"github.com/coracle-os/coracle/images/slot/fat"
	"github.com/coracle-os/coracle/tools/imager/disk"
)

// layBootFiles puts what starts the system on BOOT into the root too, for machines that are upgraded to it.
func (b *builder) layBootFiles(ctx context.Context) error {
	grub, err := disk.UEFI(ctx, b.tools, b.arch.GOARCH, b.work)
	if err != nil {
		return err
	}
	if b.definition.Disk.UEFI {
		if err := b.layBootFilesOf(bootfiles.UEFI, []fat.File{grub}); err != nil {
			return err
		}
	}
	for _, board := range b.definition.Disk.Boards {
		files, err := b.boardFiles()
		if err != nil {
			return err
		}
		if err := b.layBootFilesOf(bootfiles.Disk(board), append(files, grub)); err != nil {
			return err
		}
	}
	return nil
}

// layBootFilesOf puts those of one kind of disk into the root, with their index.
func (b *builder) layBootFilesOf(kind bootfiles.Disk, files []fat.File) error {
	for _, f := range files {
		content := f.Data
		if f.Source != "" {
			var err error
			if content, err = os.ReadFile(f.Source); err != nil {
				return err
			}
		}
		if err := b.root.Write(path.Join(kind.Dir(), f.Path), content, 0o644); err != nil {
			return err
		}
	}
	index, err := bootfiles.Describe(os.DirFS(b.root.Host(kind.Dir())))
	if err != nil {
		return fmt.Errorf("disk for %s: %w", kind, err)
	}
	text, err := index.Marshal()
	if err != nil {
		return fmt.Errorf("disk for %s: %w", kind, err)
	}
	return b.root.Write(kind.IndexPath(), text, 0o644)
}
