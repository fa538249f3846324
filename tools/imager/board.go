package main

import (
	"context"
	"path/filepath"
	"strings"

	archboards "github.com/coracle-os/coracle/arch/boards"
	"github.com/coracle-os/coracle/images/slot/fat"
	"github.com/coracle-os/coracle/tools/imager/boards"
	"github.com/coracle-os/coracle/tools/imager/debian"
	"github.com/coracle-os/coracle/tools/imager/disk"
)

// shortNames are what boards are called in file names.
var shortNames = map[string]string{"raspberry-pi": "rpi"}

// boardImage is where the disk image for a board is: coracle-BOARD-ARCH.img.
func (b *builder) boardImage(board string) string {
	return filepath.Join(b.out, "coracle-"+shortNames[board]+"-"+b.arch.Name+".img")
}

// diskImages are all that the build makes.
func (b *builder) diskImages() []string {
	images := []string{b.path(".img")}
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
	packages, err := b.archive.Packages(ctx, boards.FirmwarePackage, boards.UBootPackage)
	if err != nil {
		return err
	}
	for _, p := range packages {
		b.ship(p)
	}
	b.boardPackages = packages
	return nil
}

// boardFiles are those on BOOT that the Raspberry Pi starts from, up to GRUB.
func (b *builder) boardFiles() ([]fat.File, error) {
	firmware, err := debian.Find(b.boardPackages, boards.FirmwarePackage)
	if err != nil {
		return nil, err
	}
	uboot, err := debian.Find(b.boardPackages, boards.UBootPackage)
	if err != nil {
		return nil, err
	}
	return boards.RaspberryPi(b.arch.GOARCH, boards.Sources{Firmware: firmware.Root, UBoot: uboot.Root, Kernel: b.kernel.Package.Root})
}

// layBoards lists in the root what boards the image is for, so that a machine can warn that it is another.
func (b *builder) layBoards(context.Context) error {
	if len(b.definition.Disk.Boards) == 0 {
		return nil
	}
	models, err := archboards.RaspberryPi(b.arch.GOARCH)
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, m := range models.Supported() {
		list.WriteString(m.Compatible + "\n")
	}
	return b.root.Write("/usr/share/coracle/boards", []byte(list.String()), 0o644)
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
