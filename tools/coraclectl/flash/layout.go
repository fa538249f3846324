// Package flash writes disk images to disks: checked before, compared after, and with a machine config on the partition
// BOOT.
package flash

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/coracle-os/coracle/machined/storage/partitions"
)

const (
	sectorSize = 512     // of images
	mib        = 1 << 20 // bytes

	// headSize is how much of an image is looked at first: the partition table is in there.
	headSize = mib
	// least is what a machine needs on its disk besides what is in the image and the second slot, in bytes: DATA
	// (machined/storage refuses less), and room for the alignment of both.
	least = 512*mib + 8*mib
	// maxBoot bounds what of an image is held in memory, in bytes: all that is up to the end of BOOT.
	maxBoot = 1 << 30
)

// layout is what an image's partition table says, in bytes.
type layout struct {
	boot extent // partition BOOT, FAT
	end  int64  // of the last partition
	slot int64  // size of slot A; the disk gets another one
}

type extent struct{ offset, size int64 }

// need is the smallest disk that a machine can run from.
func (l layout) need() int64 { return l.end + l.slot + least }

// readLayout reads the partition table in the first MiB of an image: GPT for PCs, MBR for Raspberry Pi.
func readLayout(head []byte) (layout, error) {
	if len(head) < headSize {
		return layout{}, fmt.Errorf("it has only %d bytes: it is not a disk image", len(head))
	}
	if head[510] != 0x55 || head[511] != 0xaa {
		return layout{}, errors.New("it has no partition table: it is not a disk image")
	}
	const large = 1 << 44 // bytes; how long the image is, is not known yet
	table, health, err := partitions.Read(bytes.NewReader(head), large, sectorSize)
	if err == nil {
		err = health.Primary
	}
	if errors.Is(err, partitions.ErrNone) {
		return layout{}, errors.New("it has no partitions: it is not an image of Coracle")
	}
	if err != nil {
		return layout{}, fmt.Errorf("its partition table: %w", err)
	}
	var l layout
	for _, p := range table.Partitions {
		if !p.Used() {
			continue
		}
		e := extent{int64(p.First) * sectorSize, int64(p.Sectors()) * sectorSize}
		l.end = max(l.end, e.offset+e.size)
		switch p.Name() {
		case "coracle-boot":
			l.boot = e
		case "coracle-a":
			l.slot = e.size
		}
	}
	switch {
	case l.boot.size == 0:
		return layout{}, errors.New("it has no partition BOOT: it is not an image of Coracle")
	case l.boot.offset < headSize || l.boot.size < mib || l.boot.offset+l.boot.size > maxBoot:
		return layout{}, fmt.Errorf("its partition BOOT at %d has %d bytes, which no image of Coracle has", l.boot.offset, l.boot.size)
	}
	return l, nil
}
