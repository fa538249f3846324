package partitions

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// Disk is what a table is read from and written to; *os.File is one.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	Sync() error // returns when what was written would survive a power cut
}

// Health says which copies of a GPT can be used. A nil error: it is good, as an MBR is that could be read.
type Health struct {
	Primary error // the copy in sector 1
	Backup  error // the copy at the disk's end
}

// ErrMoved is that the backup is where the disk's end was when the table was written: the disk is larger than the
// image that was written to it, or has grown.
var ErrMoved = errors.New("the backup is not at the disk's end")

// Good is whether both copies are what they should be.
func (h Health) Good() bool { return h.Primary == nil && h.Backup == nil }

// Read reads the table of a disk of size bytes. When the primary copy is damaged the table is the backup's; the error
// is not nil when neither can be used. Nothing is repaired: that is [Table.Write]'s work.
func Read(d io.ReaderAt, size int64, sectorSize int) (*Table, Health, error) {
	r := reader{d, uint64(sectorSize), uint64(size) / uint64(sectorSize)}
	if r.sectors < 100 {
		return nil, Health{}, fmt.Errorf("a disk of %d bytes is too small for a partition table", size)
	}
	var health Health
	mbr, mbrErr := r.read(0, 1)
	if mbrErr == nil && isMBR(mbr) {
		t, err := r.parseMBR(mbr)
		return t, health, err
	}
	primary, h, err := r.table(1)
	health.Primary = err
	last := r.sectors - 1
	if err == nil {
		// A disk that has grown has its backup where its end was: that copy has to move, it is not damaged.
		backup, _, err := r.table(last)
		switch {
		case h.alternate != last:
			health.Backup = fmt.Errorf("%w: it belongs in sector %d, the last, and not in %d", ErrMoved, last, h.alternate)
		case err != nil:
			health.Backup = err
		case backup.DiskID != primary.DiskID || !slices.Equal(backup.Partitions, primary.Partitions):
			health.Backup = errors.New("the backup differs from the primary table")
		}
		return primary, health, nil
	}
	if mbrErr != nil {
		return nil, health, mbrErr
	}
	for _, at := range []uint64{last, mbrEnd(mbr)} {
		if at < 2 || at > last {
			continue
		}
		backup, _, err := r.table(at)
		if err == nil {
			if at != last {
				health.Backup = fmt.Errorf("%w: it belongs in sector %d, the last, and not in %d", ErrMoved, last, at)
			}
			return backup, health, nil
		}
		health.Backup = err
	}
	return nil, health, fmt.Errorf("no copy of the partition table can be used: primary: %w; backup: %w", health.Primary, health.Backup)
}

type reader struct {
	d          io.ReaderAt
	sectorSize uint64
	sectors    uint64
}

func (r reader) read(lba, count uint64) ([]byte, error) {
	b := make([]byte, count*r.sectorSize)
	if n, err := r.d.ReadAt(b, int64(lba*r.sectorSize)); n < len(b) {
		return nil, fmt.Errorf("read sector %d: %w", lba, err)
	}
	return b, nil
}

// table reads the copy whose header is in sector at.
func (r reader) table(at uint64) (*Table, header, error) {
	sector, err := r.read(at, 1)
	if err != nil {
		return nil, header{}, err
	}
	h, err := parseHeader(sector, at)
	if err != nil {
		return nil, h, err
	}
	need := r.entrySectors(h.count)
	if h.entries < 2 || h.entries >= r.sectors || h.entries+need > r.sectors {
		return nil, h, fmt.Errorf("the GPT's entries start in sector %d of a disk of %d", h.entries, r.sectors)
	}
	raw, err := r.read(h.entries, need)
	if err != nil {
		return nil, h, err
	}
	partitions, err := parseEntries(raw[:h.count*entrySize], h.entriesCRC)
	if err != nil {
		return nil, h, err
	}
	t := &Table{DiskID: h.disk, SectorSize: r.sectorSize, Sectors: r.sectors, Partitions: partitions, entriesLBA: 2}
	if at == 1 {
		t.entriesLBA = h.entries
	}
	t.FirstUsable = max(h.firstUsable, t.entriesLBA+need)
	if t.FirstUsable >= r.sectors || t.FirstUsable+2+need > r.sectors {
		return nil, h, fmt.Errorf("the disk's %d sectors leave no room for partitions", r.sectors)
	}
	t.LastUsable = r.sectors - 2 - need // whatever the header says: the disk may have grown or be smaller than its image
	return t, h, t.check()
}

func (r reader) entrySectors(count uint32) uint64 {
	return (uint64(count)*entrySize + r.sectorSize - 1) / r.sectorSize
}

// Write writes the table: an MBR if it changes; of a GPT both copies, and it makes the protective MBR cover the disk. health is
// what [Read] said of the disk: the copy that is good is overwritten last, after the other one is safely on the disk, so
// that whenever the power is cut one of them can be used, and it is either the old table or the new one.
func (t *Table) Write(d Disk, health Health) error {
	if err := t.check(); err != nil {
		return err
	}
	if t.mbr {
		return t.writeMBR(d)
	}
	order := []func(Disk) error{t.writeBackup, t.writePrimary}
	if health.Primary != nil {
		slices.Reverse(order)
	}
	for _, write := range order {
		if err := write(d); err != nil {
			return fmt.Errorf("write partition table: %w", err)
		}
		if err := d.Sync(); err != nil {
			return fmt.Errorf("write partition table: %w", err)
		}
	}
	mbr := make([]byte, t.SectorSize)
	if n, err := d.ReadAt(mbr, 0); n < len(mbr) {
		return fmt.Errorf("read protective MBR: %w", err)
	}
	if !coverDisk(mbr, t.Sectors) {
		return nil
	}
	// One sector: a disk writes it whole or not at all.
	if _, err := d.WriteAt(mbr, 0); err != nil {
		return fmt.Errorf("write protective MBR: %w", err)
	}
	return d.Sync()
}

func (t *Table) writePrimary(d Disk) error {
	return t.writeCopy(d, 1, t.Sectors-1, max(2, t.entriesLBA))
}

func (t *Table) writeBackup(d Disk) error {
	return t.writeCopy(d, t.Sectors-1, 1, t.LastUsable+1)
}

func (t *Table) writeCopy(d Disk, my, alternate, entriesLBA uint64) error {
	entries := encodeEntries(t.Partitions)
	h := header{
		my: my, alternate: alternate, firstUsable: t.FirstUsable, lastUsable: t.LastUsable, disk: t.DiskID,
		entries: entriesLBA, count: uint32(len(t.Partitions)), entriesCRC: crc32.ChecksumIEEE(entries),
	}
	if partial := uint64(len(entries)) % t.SectorSize; partial != 0 {
		entries = append(entries, make([]byte, t.SectorSize-partial)...)
	}
	if _, err := d.WriteAt(entries, int64(entriesLBA*t.SectorSize)); err != nil {
		return err
	}
	_, err := d.WriteAt(h.bytes(t.SectorSize), int64(my*t.SectorSize))
	return err
}
