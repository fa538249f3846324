// Package partitions reads and changes the partition table of a disk that is in use, so that a power cut at any moment leaves a
// table that can be read: a GUID partition table (UEFI specification 2.10, section 5.3), or an MBR as the Raspberry Pi has.
//
// What it does not understand it keeps: attributes, types, names and GUIDs of partitions, and the boot code in sector 0.
package partitions

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode/utf16"
)

// Align is the alignment of the partitions that [Table.Add] makes, in bytes.
const Align = 1 << 20

// Partition is one entry of a table. An entry with a zero Type is not used. Of an MBR's the type is one byte, the name that of
// its number, and there is neither ID nor attributes.
type Partition struct {
	Type, ID    GUID
	First, Last uint64     // sectors; Last belongs to the partition
	Attributes  uint64     // section 5.3.3, table 5.8
	Label       [36]uint16 // UTF-16, padded with zeros
}

// Used is whether the entry holds a partition.
func (p Partition) Used() bool { return p.Type != GUID{} }

// Sectors is the partition's length.
func (p Partition) Sectors() uint64 { return p.Last - p.First + 1 }

// Name is the partition's name.
func (p Partition) Name() string {
	end := slices.Index(p.Label[:], 0)
	if end < 0 {
		end = len(p.Label)
	}
	return string(utf16.Decode(p.Label[:end]))
}

// SetName names the partition; what is longer than 36 UTF-16 units is cut off.
func (p *Partition) SetName(name string) {
	p.Label = [36]uint16{}
	copy(p.Label[:], utf16.Encode([]rune(name)))
}

// Table is a partition table.
type Table struct {
	DiskID      GUID
	SectorSize  uint64      // bytes
	Sectors     uint64      // of the whole disk
	FirstUsable uint64      // first sector that a partition may have
	LastUsable  uint64      // last one
	Partitions  []Partition // partition number N is Partitions[N-1]

	entriesLBA uint64 // where the primary's entries are; 2 unless a tool put them elsewhere

	mbr   bool   // the table is not a GPT
	mbrID uint32 // disk signature
}

// Named is whether names are in the table, and not only what numbers stand for.
func (t *Table) Named() bool { return !t.mbr }

// PARTUUID is what GRUB (probe --part-uuid) and the kernel call the partition with that number, in lower case.
func (t *Table) PARTUUID(number int) string {
	if t.mbr {
		return fmt.Sprintf("%08x-%02x", t.mbrID, number)
	}
	return t.Partition(number).ID.String()
}

// Find returns the number of the partition with that name, 0 if there is none.
func (t *Table) Find(name string) int {
	return 1 + slices.IndexFunc(t.Partitions, func(p Partition) bool { return p.Used() && p.Name() == name })
}

// Partition returns the partition with that number, from 1.
func (t *Table) Partition(number int) *Partition { return &t.Partitions[number-1] }

// Extent is a run of free sectors.
type Extent struct{ First, Last uint64 }

// Sectors is the extent's length.
func (e Extent) Sectors() uint64 { return e.Last - e.First + 1 }

// Free lists the unused runs of sectors whose start and end are aligned to [Align], in their order on the disk.
func (t *Table) Free() []Extent {
	used := slices.DeleteFunc(slices.Clone(t.Partitions), func(p Partition) bool { return !p.Used() })
	slices.SortFunc(used, func(a, b Partition) int { return cmp.Compare(a.First, b.First) })
	var free []Extent
	unit := alignment(t.SectorSize)
	add := func(first, end uint64) { // end is not part of the run
		first = alignUp(first, t.SectorSize)
		if end = end / unit * unit; first < end {
			free = append(free, Extent{first, end - 1})
		}
	}
	next := t.FirstUsable
	for _, p := range used {
		if p.First > next {
			add(next, p.First)
		}
		next = max(next, p.Last+1)
	}
	if next <= t.LastUsable {
		add(next, t.LastUsable+1)
	}
	return free
}

// alignment is [Align] in sectors.
func alignment(sectorSize uint64) uint64 { return max(1, Align/sectorSize) }

// alignUp is the first aligned sector from sector on.
func alignUp(sector, sectorSize uint64) uint64 {
	unit := alignment(sectorSize)
	return (sector + unit - 1) / unit * unit
}

// Vacant is an error when there cannot be another partition with that number.
func (t *Table) Vacant(number int) error {
	if number < 1 || number > len(t.Partitions) {
		return fmt.Errorf("partition number %d: the table has room for 1 to %d", number, len(t.Partitions))
	}
	if t.Partition(number).Used() {
		return fmt.Errorf("partition number %d is taken by %q", number, t.title(number))
	}
	return nil
}

// Add makes partition number in the given sectors, in a GPT with a new GUID. The type in an MBR is that of kind's first byte,
// unless the name has its own.
func (t *Table) Add(number int, name string, kind GUID, where Extent) error {
	if err := t.Vacant(number); err != nil {
		return err
	}
	p := t.Partition(number)
	*p = Partition{Type: kind, ID: NewGUID(), First: where.First, Last: where.Last}
	p.SetName(name)
	if t.mbr {
		p.Type, p.ID = GUID{mbrType(*p)}, GUID{}
	}
	if err := t.check(); err != nil {
		*p = Partition{}
		return err
	}
	return nil
}

// title tells a person which partition it is.
func (t *Table) title(number int) string {
	p := t.Partition(number)
	if !t.mbr || p.Name() != "" {
		return p.Name()
	}
	if known, ok := mbrTypes[p.Type[0]]; ok {
		return fmt.Sprintf("type %#02x, %s", p.Type[0], known)
	}
	return fmt.Sprintf("type %#02x", p.Type[0])
}

// ErrOutside is that a partition reaches beyond the disk, as when an image is written to a disk smaller than itself.
var ErrOutside = errors.New("a partition is not on the disk")

// check is whether the partitions lie in the usable part of the disk and do not overlap.
func (t *Table) check() error {
	byStart := make([]int, 0, len(t.Partitions))
	for i, p := range t.Partitions {
		switch {
		case !p.Used():
			continue
		case p.First > p.Last:
			return fmt.Errorf("partition %d ends at sector %d, before its start %d", i+1, p.Last, p.First)
		case p.First < t.FirstUsable || p.Last > t.LastUsable:
			return fmt.Errorf("%w: partition %d (%s) has sectors %d to %d, but only %d to %d of the disk's %d can be used; it takes a disk of at least %d MiB",
				ErrOutside, i+1, t.title(i+1), p.First, p.Last, t.FirstUsable, t.LastUsable, t.Sectors, t.least())
		}
		byStart = append(byStart, i)
	}
	slices.SortFunc(byStart, func(a, b int) int { return cmp.Compare(t.Partitions[a].First, t.Partitions[b].First) })
	for i := 1; i < len(byStart); i++ {
		if a, b := byStart[i-1], byStart[i]; t.Partitions[a].Last >= t.Partitions[b].First {
			return fmt.Errorf("partitions %d and %d overlap at sector %d", a+1, b+1, t.Partitions[b].First)
		}
	}
	return nil
}

// least is how large a disk has to be for the partitions, in MiB, with room for a GPT's backup.
func (t *Table) least() uint64 {
	end := uint64(0)
	for _, p := range t.Partitions {
		if p.Used() {
			end = max(end, p.Last+1)
		}
	}
	return (end*t.SectorSize+Align-1)>>20 + 1
}

// Clone is a copy that shares nothing with t.
func (t *Table) Clone() *Table {
	c := *t
	c.Partitions = slices.Clone(t.Partitions)
	return &c
}
