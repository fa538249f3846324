package storage

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/machined/storage/partitions"
)

// Contents is what is on a disk.
type Contents struct {
	Held  string // for a person; empty: nothing that could be told from an empty disk
	Table string // ID of its partition table; empty: it has none
	Whole bool   // the table is one of Coracle's, and firmware would start from it
}

// Look looks at what is on the disk at path. Nothing is written. source is the disk that the machine runs from: a copy of its start
// that was not finished is nothing.
func Look(path, source string) (Contents, error) {
	f, err := os.Open(path)
	if err != nil {
		return Contents{}, err
	}
	defer f.Close()
	own, err := os.Open(source)
	if err != nil {
		return Contents{}, err
	}
	defer own.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return Contents{}, fmt.Errorf("size of %s: %w", path, err)
	}
	sector, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET)
	if err != nil {
		return Contents{}, fmt.Errorf("sector size of %s: %w", path, err)
	}
	c, err := LookAt(f, size, sector, own)
	if err != nil {
		err = fmt.Errorf("look at what is on %s: %w", path, err)
	}
	return c, err
}

// front is how much of a disk's start is zero when it is empty, in bytes: where GPTs and the labels of most that has no table are.
const front = 34 * 512

// LookAt is [Look] at a disk of size bytes that is open, with sectors of that many bytes.
func LookAt(r io.ReaderAt, size int64, sector int, source io.ReaderAt) (Contents, error) {
	var c Contents
	announced, err := partitions.Announced(r, sector)
	if err != nil {
		return c, err
	}
	table, health, err := partitions.Read(r, size, sector)
	switch {
	case err == nil:
		c.Table = table.ID()
		c.Whole = announced && health.Primary == nil && table.Find(slotAName) != 0
		c.Held = describe(r, table)
		return c, nil
	case announced:
		c.Held = fmt.Sprintf("a partition table that cannot be used (%v)", err)
		return c, nil
	}
	if c.Held, err = signatureOf(r, size); c.Held != "" || err != nil {
		return c, err
	}
	start, own, zero := make([]byte, min(front, size)), make([]byte, min(front, size)), make([]byte, sector)
	if n, err := r.ReadAt(start, 0); n < len(start) {
		return c, err
	}
	if n, err := source.ReadAt(own, 0); n < len(own) {
		return c, err
	}
	for at := 0; at+sector <= len(start); at += sector {
		if has := start[at : at+sector]; !bytes.Equal(has, zero) && (at == 0 || !bytes.Equal(has, own[at:at+sector])) {
			c.Held = "data of a kind that is not known"
		}
	}
	return c, nil
}

// describe lists the partitions of a table and what is in them.
func describe(r io.ReaderAt, t *partitions.Table) string {
	kind, named := "a GPT", t.Named()
	if !named {
		kind, named = "an MBR", t.Find(slotAName) != 0
	}
	var all []string
	for i, p := range t.Partitions {
		if !p.Used() {
			continue
		}
		text := fmt.Sprint(i + 1)
		if name := p.Name(); named && name != "" {
			text += " " + name
		}
		size := int64(p.Sectors() * t.SectorSize)
		if held, _ := signatureOf(io.NewSectionReader(r, int64(p.First*t.SectorSize), size), size); held != "" {
			text += " (" + held + ")"
		}
		all = append(all, text)
	}
	if all == nil {
		return kind + " without partitions"
	}
	return kind + " with partitions " + strings.Join(all, ", ")
}

// signatures are what tells what is on a disk or partition that has no table, and is not one of those that [probe] knows. A negative
// offset counts from the end.
var signatures = []struct {
	name  string
	at    int64
	magic string
}{
	{"NTFS", 3, "NTFS    "},
	{"exFAT", 3, "EXFAT   "},
	{"XFS", 0, "XFSB"},
	{"Btrfs", 64<<10 + 64, "_BHRfS_M"},
	{"F2FS", 1024, "\x10\x20\xf5\xf2"},
	{"bcachefs", 4096 + 24, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca"},
	{"bcachefs or bcache", 4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9"},
	{"HFS+", 1024, "H+"},
	{"APFS", 32, "NXSB"},
	{"squashfs", 0, "hsqs"},
	{"EROFS", 1024, "\xe2\xe1\xf5\xe0"},
	{"LUKS (encrypted)", 0, "LUKS\xba\xbe"},
	{"LVM", 0, "LABELONE"},
	{"LVM", 512, "LABELONE"},
	{"LVM", 1024, "LABELONE"},
	{"LVM", 1536, "LABELONE"},
	{"Linux swap", 4096 - 10, "SWAPSPACE2"},
	{"Ceph", 0, "bluestore block device"},
	{"Linux RAID", 0, raidMagic},
	{"Linux RAID", 4096, raidMagic},
	{"Linux RAID", -8192, raidMagic},
	{"Intel RAID", -1024, "Intel Raid ISM Cfg Sig. "},
	{"the backup of a GPT", -512, "EFI PART"},
	{"the backup of a GPT", -4096, "EFI PART"},
	{"a GPT that is damaged", 512, "EFI PART"},
	{"a GPT that is damaged", 4096, "EFI PART"},
}

// raidMagic is a superblock's of the kernel's RAID (include/uapi/linux/raid/md_p.h).
const raidMagic = "\xfc\x4e\x2b\xa9"

// signatureOf tells by signatures what size bytes of r hold; empty: none is there.
func signatureOf(r io.ReaderAt, size int64) (string, error) {
	if v := probe(r); v.kind != "" {
		if v.label != "" {
			return fmt.Sprintf("%s, label %q", v.kind, v.label), nil
		}
		return v.kind, nil
	}
	for _, s := range signatures {
		at := s.at
		if at < 0 {
			at += size
		}
		if has, err := hasMagic(r, size, at, s.magic); has || err != nil {
			return s.name, err
		}
	}
	// A superblock of version 0.90 is in the last 64 KiB but those that are not whole.
	const unit = 64 << 10
	if has, err := hasMagic(r, size, size/unit*unit-unit, raidMagic); has || err != nil {
		return "Linux RAID", err
	}
	return "", nil
}

// hasMagic is whether magic, which has at most 64 bytes, is there.
func hasMagic(r io.ReaderAt, size, at int64, magic string) (bool, error) {
	if at < 0 || at+int64(len(magic)) > size {
		return false, nil
	}
	var b [64]byte
	if n, err := r.ReadAt(b[:len(magic)], at); n < len(magic) {
		return false, fmt.Errorf("read at %d: %w", at, err)
	}
	return string(b[:len(magic)]) == magic, nil
}
