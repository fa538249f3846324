package partitions

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// What is where in the first sector of a disk with an MBR, in bytes.
const (
	mbrID        = 440 // disk signature, 32 bits
	mbrEntries   = 446
	mbrEntrySize = 16
	mbrCount     = 4
	mbrSignature = 510
)

// Types of partitions in an MBR. tools/imager/disk has those of the image.
const (
	mbrFAT   = 0x0c // FAT32: the one that the firmware of every Raspberry Pi starts from
	mbrLinux = 0x83
	mbrNoFS  = 0xda // no file system: nothing that another system would mount, or offer to format
)

// mbrTypes are types that somebody may have given a partition of his own, for a person.
var mbrTypes = map[byte]string{
	0x05: "extended", 0x06: "FAT", 0x07: "NTFS or exFAT", 0x0b: "FAT", mbrFAT: "FAT", 0x0e: "FAT", 0x0f: "extended",
	0x82: "Linux swap", mbrLinux: "Linux", 0x85: "extended", 0x8e: "Linux LVM", mbrNoFS: "no file system", 0xef: "EFI system",
}

// mbrEntryAt is the entry of partition i+1 in sector 0.
func mbrEntryAt(sector []byte, i int) []byte {
	return sector[mbrEntries+i*mbrEntrySize:][:mbrEntrySize]
}

// isMBR is whether sector 0 has partitions, and is not there to protect a GPT. The kernel and GRUB tell by the same: a GPT
// that an earlier use of the disk has left behind does not count.
func isMBR(sector []byte) bool {
	if sector[mbrSignature] != 0x55 || sector[mbrSignature+1] != 0xaa {
		return false
	}
	used := false
	for i := range mbrCount {
		e := mbrEntryAt(sector, i)
		if e[0]&0x7f != 0 || e[4] == protective { // a flag that is none: the boot sector of a file system
			return false
		}
		used = used || e[4] != 0
	}
	return used
}

// parseMBR reads the table in sector 0.
func (r reader) parseMBR(sector []byte) (*Table, error) {
	t := &Table{
		SectorSize: r.sectorSize, Sectors: r.sectors, Partitions: make([]Partition, mbrCount),
		FirstUsable: 1, LastUsable: min(r.sectors, math.MaxUint32) - 1,
		mbr: true, mbrID: binary.LittleEndian.Uint32(sector[mbrID:]),
	}
	for i := range t.Partitions {
		kind, start, length := parseMBREntry(mbrEntryAt(sector, i))
		switch {
		case kind == 0 && length == 0:
			continue
		case kind == 0 || length == 0:
			return nil, fmt.Errorf("partition %d has type %#02x and %d sectors, which is no partition", i+1, kind, length)
		}
		t.Partitions[i] = Partition{Type: GUID{kind}, First: uint64(start), Last: uint64(start) + uint64(length) - 1}
	}
	t.nameMBR()
	return t, t.check()
}

// nameMBR gives the partitions of an MBR the names that they have in a GPT. It has none: their numbers stand for them. What the
// first boot makes is known by its type and by where it is, so that what somebody else has put there is not taken for it.
func (t *Table) nameMBR() {
	boot, a, b, data := &t.Partitions[0], &t.Partitions[1], &t.Partitions[2], &t.Partitions[3]
	behind := func(p *Partition) uint64 { return alignUp(p.Last+1, t.SectorSize) }
	if boot.Type[0] == mbrFAT {
		boot.SetName(MBRName(1))
	}
	if a.Type[0] != mbrNoFS {
		return
	}
	a.SetName(MBRName(2))
	if b.Type != a.Type || b.First != behind(a) || b.Sectors() != a.Sectors() {
		return
	}
	b.SetName(MBRName(3))
	if data.First != behind(b) {
		return
	}
	for name, kind := range mbrData {
		if data.Type[0] == kind {
			data.SetName(name)
		}
	}
}

// mbrData are the types of DATA by its names: what may be made anew is not yet a file system.
var mbrData = map[string]byte{"coracle-data": mbrLinux, "coracle-data-new": mbrNoFS}

// mbrType is the type of a partition, which follows DATA's name.
func mbrType(p Partition) byte {
	if kind, ok := mbrData[p.Name()]; ok {
		return kind
	}
	return p.Type[0]
}

// writeMBR changes the entries that differ, and nothing else in sector 0, such as boot code and disk signature. There is no
// backup, and no second sector to go with: disks and SD cards write one sector whole or not at all when the power is cut, as far
// as any of their makers promises something.
func (t *Table) writeMBR(d Disk) error {
	sector := make([]byte, t.SectorSize)
	if n, err := d.ReadAt(sector, 0); n < len(sector) {
		return fmt.Errorf("read partition table: %w", err)
	}
	if !isMBR(sector) {
		return errors.New("write partition table: there is none on the disk any more")
	}
	before := bytes.Clone(sector)
	for i, p := range t.Partitions {
		if p.Used() {
			putMBREntry(mbrEntryAt(sector, i), mbrType(p), uint32(p.First), uint32(p.Sectors()))
		}
	}
	if bytes.Equal(sector, before) {
		return nil
	}
	if _, err := d.WriteAt(sector, 0); err != nil {
		return fmt.Errorf("write partition table: %w", err)
	}
	if err := d.Sync(); err != nil {
		return fmt.Errorf("write partition table: %w", err)
	}
	return nil
}

func parseMBREntry(entry []byte) (kind byte, start, length uint32) {
	le := binary.LittleEndian
	return entry[4], le.Uint32(entry[8:]), le.Uint32(entry[12:])
}

// putMBREntry keeps the flag of a partition that there is, and cylinder, head and sector of what stays where it is.
func putMBREntry(entry []byte, kind byte, start, length uint32) {
	oldKind, oldStart, oldLength := parseMBREntry(entry)
	if oldKind == 0 {
		clear(entry)
	}
	outOfRange := []byte{0xfe, 0xff, 0xff} // as fdisk(8) has it; nobody goes by them
	if start != oldStart {
		copy(entry[1:], outOfRange)
	}
	if start != oldStart || length != oldLength {
		copy(entry[5:], outOfRange)
	}
	entry[4] = kind
	binary.LittleEndian.PutUint32(entry[8:], start)
	binary.LittleEndian.PutUint32(entry[12:], length)
}

// Unreachable is how much of the disk's end the table has no numbers for, in bytes: an MBR's are of 32 bits.
func (t *Table) Unreachable() uint64 {
	if !t.mbr {
		return 0
	}
	return (t.Sectors - min(t.Sectors, math.MaxUint32)) * t.SectorSize
}

// mbrNames are the names of Coracle's partitions by their number; docs/architecture.md has the table.
var mbrNames = []string{"coracle-boot", "coracle-a", "coracle-b", "coracle-data"}

// MBRName is the name of a partition of Coracle's disk where the table has no names; empty if Coracle has no such number.
func MBRName(number int) string {
	if number < 1 || number > len(mbrNames) {
		return ""
	}
	return mbrNames[number-1]
}

// MBRNumber is the number of the partition with that name; 0 if there is none.
func MBRNumber(name string) int { return 1 + slices.Index(mbrNames, name) }
