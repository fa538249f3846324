package partitions

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// bootCode is how much of sector 0 is the boot loader's, in bytes.
const bootCode = mbrID

// ID tells disks apart: the GUID of a GPT, the disk signature of an MBR, in lower case.
func (t *Table) ID() string {
	if t.mbr {
		return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, t.mbrID))
	}
	return t.DiskID.String()
}

// For is the table of another disk, of size bytes, that gets those partitions of t that have one of the names, where they are in t.
// It is of the same kind, and has identities of its own, so that whoever looks for one of the disks does not find the other.
func (t *Table) For(size uint64, names ...string) (*Table, error) {
	other := t.Clone()
	other.Sectors = size / t.SectorSize
	if other.mbr {
		other.LastUsable = min(other.Sectors, math.MaxUint32) - 1
		for other.mbrID == t.mbrID || other.mbrID == 0 { // 0 stands for a disk without signature
			var id [4]byte
			rand.Read(id[:])
			other.mbrID = binary.LittleEndian.Uint32(id[:])
		}
	} else {
		other.DiskID, other.entriesLBA = NewGUID(), 2
		entries := reader{sectorSize: t.SectorSize}.entrySectors(uint32(len(t.Partitions)))
		if other.Sectors < 2*(2+entries) {
			return nil, fmt.Errorf("a disk of %d bytes is too small for a partition table", size)
		}
		other.LastUsable = other.Sectors - 2 - entries
	}
	for i := range other.Partitions {
		switch p := &other.Partitions[i]; {
		case !p.Used():
		case !slices.Contains(names, p.Name()):
			*p = Partition{}
		case !other.mbr:
			p.ID = NewGUID()
		}
	}
	return other, other.check()
}

// WriteNew writes the table to a disk that has none, and returns when it is on the disk. front is sector 0 of the disk that this
// one is a copy of, whose boot code it takes over. Sector 0 is written last: until then firmware sees an empty disk.
func (t *Table) WriteNew(d Disk, front []byte) error {
	if err := t.check(); err != nil {
		return err
	}
	if uint64(len(front)) != t.SectorSize {
		return fmt.Errorf("write partition table: sector 0 has %d bytes, not %d", len(front), t.SectorSize)
	}
	sector := t.frontOf(front)
	steps := []func(Disk) error{t.writeBackup, t.writePrimary}
	if t.mbr {
		steps = nil
	}
	steps = append(steps, func(d Disk) error {
		_, err := d.WriteAt(sector, 0)
		return err
	})
	for _, write := range steps {
		if err := errors.Join(write(d), d.Sync()); err != nil {
			return fmt.Errorf("write partition table: %w", err)
		}
	}
	return nil
}

// frontOf is sector 0 of the disk, made from that of the disk that it is a copy of.
func (t *Table) frontOf(front []byte) []byte {
	sector := bytes.Clone(front)
	sector[mbrSignature], sector[mbrSignature+1] = 0x55, 0xaa
	if !t.mbr {
		clear(sector[bootCode:mbrSignature])
		entry := mbrEntryAt(sector, 0)
		copy(entry, []byte{0, 0, 2, 0, protective, 0xff, 0xff, 0xff}) // UEFI specification 2.10, table 5.4
		binary.LittleEndian.PutUint32(entry[8:], 1)
		binary.LittleEndian.PutUint32(entry[12:], uint32(min(t.Sectors-1, math.MaxUint32)))
		return sector
	}
	binary.LittleEndian.PutUint32(sector[mbrID:], t.mbrID)
	for i, p := range t.Partitions {
		entry := mbrEntryAt(sector, i)
		if !p.Used() {
			clear(entry)
			continue
		}
		putMBREntry(entry, mbrType(p), uint32(p.First), uint32(p.Sectors()))
	}
	return sector
}

// Announced is whether sector 0 says that the disk has a partition table, which is what firmware goes by.
func Announced(d io.ReaderAt, sectorSize int) (bool, error) {
	sector := make([]byte, sectorSize)
	if n, err := d.ReadAt(sector, 0); n < len(sector) {
		return false, fmt.Errorf("read sector 0: %w", err)
	}
	_, protects := mbrEntry(sector)
	return isMBR(sector) || protects, nil
}
