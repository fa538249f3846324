package disk

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Types of partitions in an MBR. machined/storage/partitions tells Coracle's by their number and type.
const (
	mbrFAT  = 0x0c // FAT32, sectors by number
	mbrSlot = 0xda // no file system
)

// Where things are in the first sector.
const (
	mbrSignature = 440 // of the disk, 32 bits; the kernel makes PARTUUIDs of it
	mbrEntries   = 446
	mbrEntrySize = 16
	mbrActive    = 0x80
)

// mbr is the first sector of an image: partitions 1, BOOT, and 2, slot A. The machine makes 3 and 4.
func mbr(at layout, identity string) ([]byte, error) {
	if at.image/sectorSize > math.MaxUint32 {
		return nil, fmt.Errorf("an MBR holds no partitions beyond 2 TiB; slots of %d bytes are too large", at.slotSize)
	}
	sector := make([]byte, sectorSize)
	h := nameHash(identity, "disk")
	// Zero stands for a disk without signature.
	binary.LittleEndian.PutUint32(sector[mbrSignature:], max(1, binary.LittleEndian.Uint32(h[:])))
	entry := func(number int, flags, kind byte, start, size uint64) {
		e := sector[mbrEntries+(number-1)*mbrEntrySize:]
		// Cylinders, heads and sectors: beyond what they can say.
		copy(e, []byte{flags, 0xfe, 0xff, 0xff, kind, 0xfe, 0xff, 0xff})
		binary.LittleEndian.PutUint32(e[8:], uint32(start/sectorSize))
		binary.LittleEndian.PutUint32(e[12:], uint32(size/sectorSize))
	}
	// U-Boot looks for EFI programs on active partitions, when there is one.
	entry(1, mbrActive, mbrFAT, at.boot, BootSize)
	entry(2, 0, mbrSlot, at.slot, at.slotSize)
	sector[510], sector[511] = 0x55, 0xaa
	return sector, nil
}
