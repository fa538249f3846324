package disk

import (
	"crypto/sha256"
	"strings"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/google/uuid"
)

// Sizes and places, in bytes where no unit is named. docs/architecture.md has the table.
const (
	sectorSize = 512
	mib        = 1 << 20

	BootSize = 64 * mib // partition BOOT

	coreLBA  = 34   // first sector after the partition table
	bootLBA  = 2048 // 1 MiB
	coreRoom = (bootLBA - coreLBA) * sectorSize
)

// table is the partition table of an image of one slot. Numbers are part of the contract with GRUB's configuration;
// the bios_boot partition has 5 so that the others have the same numbers on every board.
func table(l loaders, slotSize uint64, identity string) *gpt.Table {
	slotLBA := uint64(bootLBA + BootSize/sectorSize)
	part := func(number int, name string, kind gpt.Type, start, size uint64) *gpt.Partition {
		return &gpt.Partition{
			Index: number, Name: name, Type: kind, Start: start, End: start + size/sectorSize - 1,
			GUID: guid(identity, name),
		}
	}
	partitions := []*gpt.Partition{
		part(1, "coracle-boot", gpt.EFISystemPartition, bootLBA, BootSize),
		part(2, "coracle-a", l.slot, slotLBA, slotSize),
	}
	if l.bios != nil {
		partitions = append(partitions, part(5, "coracle-bios", gpt.BIOSBoot, coreLBA, coreRoom))
	}
	return &gpt.Table{
		LogicalSectorSize: sectorSize, PhysicalSectorSize: sectorSize, ProtectiveMBR: true,
		GUID: guid(identity, "disk"), Partitions: partitions,
	}
}

// imageSize leaves the last MiB to the backup of the partition table.
func imageSize(slotSize uint64) int64 {
	return int64(bootLBA*sectorSize + BootSize + slotSize + mib)
}

// guid is a name-based one (RFC 9562, version 8), so that a build repeats byte for byte.
func guid(identity, name string) string {
	h := sha256.Sum256([]byte("coracle " + name + " " + identity))
	u := uuid.UUID(h[:16])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return strings.ToUpper(u.String())
}
