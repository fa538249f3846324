package install

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/machined/storage/direct"
	"github.com/coracle-os/coracle/machined/storage/partitions"
)

// Copier copies the system that runs to another disk. Whenever the power is cut before its last write, firmware sees an empty disk.
type Copier struct {
	Source    io.ReaderAt       // the disk that the machine runs from
	Old       *partitions.Table // its table
	Slot      string            // that runs: a or b
	ImageSize uint64            // of the slot image, bytes
	Target    partitions.Disk   // that is overwritten
	Size      int64             // of the target, bytes
	New       *partitions.Table // that the target gets

	Alone    func(do func() error) error     // calls do while BOOT is not mounted, and nobody changes it
	Fill     func(ctx context.Context) error // makes the file systems of BOOT and DATA the target's own
	Remember func() error                    // writes down that there is a copy with the new table
	Progress func(Progress)
}

// Progress is how far a copy is.
type Progress struct {
	Done, Total uint64 // bytes written and read back
}

// cleared is how much of the start and of the end of the target is overwritten first, in bytes: partition tables and the labels of
// RAID, LVM, ZFS and file systems are there.
const cleared = 4 << 20

// region is a part of a disk, in bytes. It is in the same place on both, unless it is in another slot's.
type region struct {
	name     string
	from, to int64 // where it starts on the source and on the target
	size     int64
	hash     string // that its content has to have; empty: not known
}

// Run copies, and returns when the machine can be started from the target.
func (c *Copier) Run(ctx context.Context) error {
	regions, err := c.regions()
	if err != nil {
		return err
	}
	if err := c.clear(); err != nil {
		return fmt.Errorf("clear the disk: %w", err)
	}
	total, done := uint64(0), uint64(0)
	for _, r := range regions {
		total += 2 * uint64(r.size)
	}
	for _, r := range regions {
		run := func() error {
			return c.copy(ctx, r, func(n uint64) { c.Progress(Progress{Done: done + n, Total: total}) })
		}
		if r.name == bootName {
			err = c.Alone(run)
		} else {
			err = run()
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", r.name, err)
		}
		done += 2 * uint64(r.size)
	}
	if err := c.emptyIdle(); err != nil {
		return fmt.Errorf("empty the slot that does not run: %w", err)
	}
	if err := c.Target.Sync(); err != nil {
		return err
	}
	if err := c.Fill(ctx); err != nil {
		return err
	}
	if err := c.Remember(); err != nil {
		return err
	}
	return c.finish()
}

const bootName = "BOOT"

// regions are what is copied, in order: what firmware needs in front of the partitions, such as GRUB for BIOS, whose places are
// written in it; BOOT; the slot that runs, and its record.
func (c *Copier) regions() ([]region, error) {
	boot, running := c.Old.Find("coracle-boot"), c.Old.Find("coracle-"+c.Slot)
	target := c.New.Find("coracle-" + c.Slot)
	if boot == 0 || running == 0 || target == 0 {
		return nil, fmt.Errorf("the disk that the machine runs from has no partition coracle-boot or coracle-%s", c.Slot)
	}
	sector := int64(c.Old.SectorSize)
	first := int64(c.Old.Partition(boot).First) * sector
	front := int64(max(c.Old.FirstUsable, c.New.FirstUsable)) * sector
	from, to := c.Old.Partition(running), c.New.Partition(target)
	image := int64(c.ImageSize+slot.Align-1) / slot.Align * slot.Align
	if image+slot.RecordSize > int64(from.Sectors())*sector || from.Sectors() != to.Sectors() {
		return nil, fmt.Errorf("the image in slot %s has %d bytes, which do not fit its partition", c.Slot, c.ImageSize)
	}
	size := int64(from.Sectors()) * sector
	hash := "" // a slot that was flashed has none
	r, err := record.Read(behind{c.Source, int64(from.First) * sector}, size)
	if err == nil && int64(r.Size) == image {
		hash = r.Hash
	}
	if err != nil && !errors.Is(err, record.ErrNone) {
		return nil, err
	}
	end := size - slot.RecordSize
	return []region{
		{name: "what is in front of the partitions", from: front, to: front, size: first - front},
		{name: bootName, from: first, to: first, size: int64(c.Old.Partition(boot).Sectors()) * sector},
		{name: "slot " + c.Slot, from: int64(from.First) * sector, to: int64(to.First) * sector, size: image, hash: hash},
		{name: "the record of slot " + c.Slot, from: int64(from.First)*sector + end, to: int64(to.First)*sector + end, size: slot.RecordSize},
	}, nil
}

// clear overwrites the start and the end of the target.
func (c *Copier) clear() error {
	if err := c.zero(0, min(cleared, c.Size)); err != nil {
		return err
	}
	end := max(0, c.Size-cleared) / direct.Sector * direct.Sector
	return errors.Join(c.zero(end, c.Size-end), c.Target.Sync())
}

// zero overwrites size bytes at a place.
func (c *Copier) zero(at, size int64) error {
	b, err := direct.NewBlock(direct.BlockSize)
	if err != nil {
		return err
	}
	defer b.Free()
	for end := at + size; at < end; {
		n := min(int64(len(b)), end-at)
		if _, err := c.Target.WriteAt(b[:n], at); err != nil {
			return fmt.Errorf("write to the disk at %d: %w", at, err)
		}
		at += n
	}
	return nil
}

// copy copies a region, and reads it back from the target.
func (c *Copier) copy(ctx context.Context, r region, progress func(done uint64)) error {
	want, err := direct.Copy(ctx, io.NewOffsetWriter(c.Target, r.to), io.NewSectionReader(c.Source, r.from, r.size), uint64(r.size), progress)
	if err != nil {
		return err
	}
	if r.hash != "" && r.hash != want {
		return errors.New("it is not what was written there: the disk that the machine runs from is failing")
	}
	if err := c.Target.Sync(); err != nil {
		return err
	}
	got, err := direct.Hash(ctx, behind{c.Target, r.to}, uint64(r.size), func(n uint64) { progress(uint64(r.size) + n) })
	if err != nil {
		return err
	}
	if got != want {
		return errors.New("what was written is not what is read: the disk is failing")
	}
	return nil
}

// behind is a disk from a place on.
type behind struct {
	io.ReaderAt
	at int64
}

func (b behind) ReadAt(p []byte, at int64) (int, error) { return b.ReaderAt.ReadAt(p, b.at+at) }

// emptyIdle takes away what an earlier use of the disk may have left where the other slot is: a version that could be booted.
func (c *Copier) emptyIdle() error {
	idle := map[string]string{"a": "coracle-b", "b": "coracle-a"}[c.Slot]
	number := c.New.Find(idle)
	if number == 0 {
		return nil
	}
	p, sector := c.New.Partition(number), int64(c.New.SectorSize)
	return errors.Join(c.zero(int64(p.First)*sector, slot.Align), c.zero(int64(p.Last+1)*sector-slot.RecordSize, slot.RecordSize))
}

// finish writes the partition table, sector 0 last, and reads it back.
func (c *Copier) finish() error {
	front := make([]byte, c.Old.SectorSize)
	if n, err := c.Source.ReadAt(front, 0); n < len(front) {
		return fmt.Errorf("read sector 0: %w", err)
	}
	if err := c.New.WriteNew(c.Target, front); err != nil {
		return err
	}
	got, health, err := partitions.Read(c.Target, c.Size, int(c.New.SectorSize))
	if err != nil {
		return fmt.Errorf("read the partition table that was written: %w", err)
	}
	if !health.Good() || got.ID() != c.New.ID() {
		return errors.New("the partition table that was written is not what is read: the disk is failing")
	}
	return nil
}
