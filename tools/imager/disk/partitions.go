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

	// GRUB for BIOS is between the GPT and the first partition, at 1 MiB.
	coreLBA  = 34 // first sector after the partition table
	coreRoom = mib - coreLBA*sectorSize
)

// Table is the kind of an image's partition table.
type Table string

const (
	GPT Table = "gpt" // for firmware that knows UEFI or BIOS
	MBR Table = "mbr" // for the Raspberry Pi: the one table that the boot ROM and the firmware of every model read
)

// align is where partitions start, and what their sizes are multiples of, in bytes.
//
// SD cards write to flash in units of up to 4 MiB (SD Physical Layer Specification, AU_SIZE of cards up to 32 GB). A partition that
// starts within one shares it with its neighbour: when the power fails while GRUB marks a try on BOOT, the start of a slot is at
// stake too.
func (t Table) align() uint64 {
	if t == MBR {
		return 4 * mib
	}
	return mib
}

// layout is where the partitions of an image of one slot are, in bytes.
type layout struct {
	boot, slot uint64 // where they start
	slotSize   uint64
	image      uint64 // size of the whole
}

func (t Table) layout(slotSize uint64) layout {
	l := layout{boot: t.align(), slot: t.align() + BootSize, slotSize: slotSize}
	l.image = l.slot + slotSize
	if t == GPT {
		l.image += mib // for the backup of the table
	}
	return l
}

// gptTable is the GPT of an image. Numbers are part of the contract with GRUB's configuration; the bios_boot partition has 5 so
// that the others have the same numbers on every board.
func gptTable(l loaders, at layout, identity string) *gpt.Table {
	part := func(number int, name string, kind gpt.Type, start, size uint64) *gpt.Partition {
		return &gpt.Partition{
			Index: number, Name: name, Type: kind, Start: start / sectorSize, End: (start+size)/sectorSize - 1,
			GUID: guid(identity, name),
		}
	}
	partitions := []*gpt.Partition{
		part(1, "coracle-boot", gpt.EFISystemPartition, at.boot, BootSize),
		part(2, "coracle-a", l.slot, at.slot, at.slotSize),
	}
	if l.bios != nil {
		partitions = append(partitions, part(5, "coracle-bios", gpt.BIOSBoot, coreLBA*sectorSize, coreRoom))
	}
	return &gpt.Table{
		LogicalSectorSize: sectorSize, PhysicalSectorSize: sectorSize, ProtectiveMBR: true,
		GUID: guid(identity, "disk"), Partitions: partitions,
	}
}

// guid is a name-based one (RFC 9562, version 8), so that a build repeats byte for byte.
func guid(identity, name string) string {
	h := nameHash(identity, name)
	u := uuid.UUID(h[:16])
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return strings.ToUpper(u.String())
}

func nameHash(identity, name string) [sha256.Size]byte {
	return sha256.Sum256([]byte("coracle " + name + " " + identity))
}
