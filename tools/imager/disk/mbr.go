package disk

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/partition/mbr"
)

// mbrSlot is the type of a slot's partition: no file system. machined/storage/partitions tells Coracle's by their number and type.
const mbrSlot = mbr.Type(0xda)

// signatureOffset is where a disk's signature is in its first sector, of which the kernel makes PARTUUIDs.
const signatureOffset = 440

// writeMBR writes the first sector of an image: partitions 1, BOOT, and 2, slot A. The machine makes 3 and 4.
func writeMBR(f backend.WritableFile, at layout, identity string) error {
	if at.image/sectorSize > math.MaxUint32 {
		return fmt.Errorf("an MBR holds no partitions beyond 2 TiB; slots of %d bytes are too large", at.slotSize)
	}
	part := func(kind mbr.Type, start, size uint64) *mbr.Partition {
		return &mbr.Partition{
			Type: kind, Start: uint32(start / sectorSize), Size: uint32(size / sectorSize),
			// Beyond what cylinders, heads and sectors can say.
			StartHead: 0xfe, StartSector: 0xff, StartCylinder: 0xff, EndHead: 0xfe, EndSector: 0xff, EndCylinder: 0xff,
		}
	}
	boot := part(mbr.Fat32LBA, at.boot, BootSize)
	boot.Bootable = true // U-Boot looks for EFI programs on active partitions, when there is one
	table := mbr.Table{
		LogicalSectorSize: sectorSize, PhysicalSectorSize: sectorSize,
		Partitions: []*mbr.Partition{boot, part(mbrSlot, at.slot, at.slotSize)},
	}
	if err := table.Write(f, int64(at.image)); err != nil {
		return err
	}
	h := nameHash(identity, "disk")
	// Zero stands for a disk without signature.
	signature := binary.LittleEndian.AppendUint32(nil, max(1, binary.LittleEndian.Uint32(h[:])))
	_, err := f.WriteAt(signature, signatureOffset)
	return err
}
