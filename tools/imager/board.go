package main

import (
	"context"
	"path/filepath"
	"strings"

	archboards "github.com/coracle-os/coracle/arch/boards"
	"github.com/coracle-os/coracle/images/slot/fat"
	"github.com/coracle-os/coracle/tools/imager/boards"
	"github.com/coracle-os/coracle/tools/imager/disk"
)

// shortNames are what boards are called in file names.
var shortNames = map[string]string{"raspberry-pi": "rpi"}

// boardImage is where the disk image for a board is: coracle-BOARD-ARCH.img, or, when it is the only one, where that would be.
func (b *builder) boardImage(board string) string {
	if !b.definition.Disk.UEFI {
		return b.path(".img")
	}
	return filepath.Join(b.out, "coracle-"+shortNames[board]+"-"+b.image()+".img")
}

// diskImages are all that the build makes.
func (b *builder) diskImages() []string {
	var images []string
	if b.definition.Disk.UEFI {
		images = append(images, b.path(".img"))
	}
	for _, board := range b.definition.Disk.Boards {
		images = append(images, b.boardImage(board))
	}
	return images
}

// fetchBoards gets the packages that boards start from.
func (b *builder) fetchBoards(ctx context.Context) error {
	if len(b.definition.Disk.Boards) == 0 {
		return nil
	}
	var err error
	if b.models, err = archboards.RaspberryPi(b.arch.GOARCH, b.definition.Flavour); err != nil {
		return err
	}
	if b.boardPackages, err = b.archive.Packages(ctx, boards.Packages(b.models)...); err != nil {
		return err
	}
	for _, p := range b.boardPackages {
		b.ship(p)
	}
	return nil
}

// boardFiles are those on BOOT that the Raspberry Pi starts from, up to GRUB.
func (b *builder) boardFiles() ([]fat.File, error) {
	sources := boards.Sources{Kernel: b.kernel.Root}
	for _, p := range b.boardPackages {
		switch p.Name {
		case boards.FirmwarePackage:
			sources.Firmware = p.Root
		case boards.UBootPackage:
			sources.UBoot = p.Root
		}
	}
	return boards.RaspberryPi(b.arch.GOARCH, b.models, sources)
}

// layBoards lists in the root what boards the image is for, so that a machine can warn that it is another.
func (b *builder) layBoards(context.Context) error {
	if len(b.definition.Disk.Boards) == 0 {
		return nil
	}
	return b.root.Write("/usr/share/coracle/boards", []byte(strings.Join(b.models.Compatible(), "\n")+"\n"), 0o644)
}

// writeBoard makes the disk for a board: the same slot, and on BOOT what the board starts from.
func (b *builder) writeBoard(ctx context.Context, board string) (string, error) {
	files, err := b.boardFiles()
	if err != nil {
		return "", err
	}
	spec := b.disk()
	spec.Table, spec.Boot = disk.MBR, files
	out := b.boardImage(board)
	return describe(out, false, disk.Write(ctx, b.tools, out, spec))
}
