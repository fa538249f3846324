// Package gpt reads and changes a GUID partition table (UEFI specification 2.10, section 5.3) on a disk that is in
// use, so that a power cut at any moment leaves a table that can be read.
//
// What it does not understand it keeps: attributes, types, names and GUIDs of partitions, and the boot code in the
// protective MBR.
package gpt

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode/utf16"
)

// Align is the alignment of the partitions that [Table.Add] makes, in bytes.
const Align = 1 << 20

// Partition is one entry of a table. An entry with a zero Type is not used.
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
	unit := max(1, Align/t.SectorSize)
	add := func(first, end uint64) { // end is not part of the run
		first = (first + unit - 1) / unit * unit
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

// Add makes partition number in the given sectors with a new GUID.
func (t *Table) Add(number int, name string, kind GUID, where Extent) error {
	if number < 1 || number > len(t.Partitions) {
		return fmt.Errorf("partition number %d: the table has room for 1 to %d", number, len(t.Partitions))
	}
	p := t.Partition(number)
	if p.Used() {
		return fmt.Errorf("partition number %d is taken by %q", number, p.Name())
	}
	*p = Partition{Type: kind, ID: NewGUID(), First: where.First, Last: where.Last}
	p.SetName(name)
	if err := t.check(); err != nil {
		*p = Partition{}
		return err
	}
	return nil
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
			return fmt.Errorf("%w: partition %d (%s) has sectors %d to %d, but only %d to %d of the disk's %d can be used",
				ErrOutside, i+1, p.Name(), p.First, p.Last, t.FirstUsable, t.LastUsable, t.Sectors)
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

// Clone is a copy that shares nothing with t.
func (t *Table) Clone() *Table {
	c := *t
	c.Partitions = slices.Clone(t.Partitions)
	return &c
}
