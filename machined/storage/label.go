package storage

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
)

// volume is a file system that a medium may have.
type volume struct {
	kind  string // as mount(2) takes it
	label string
}

// probe looks which file system r begins with. It returns the zero volume for any that is not supported.
func probe(r io.ReaderAt) volume {
	head := make([]byte, superblockOffset+superblockSize)
	if n, _ := r.ReadAt(head, 0); n < len(head) {
		return volume{}
	}
	if s, err := parseSuperblock(head[superblockOffset:]); err == nil {
		return volume{"ext4", s.label}
	}
	if label, ok := isoLabel(r); ok {
		return volume{"iso9660", label}
	}
	if f, ok := parseFAT(head); ok {
		return volume{"vfat", f.readLabel(r)}
	}
	return volume{}
}

// isoLabel reads the volume identifier of an ISO 9660 file system (ECMA-119, section 8.4).
func isoLabel(r io.ReaderAt) (string, bool) {
	const primary = 1
	b := make([]byte, 2048)
	if n, _ := r.ReadAt(b, 16*2048); n < len(b) || b[0] != primary || string(b[1:6]) != "CD001" {
		return "", false
	}
	return text(b[40:72]), true
}

// fat is where a FAT file system (Microsoft's FAT specification 1.03) keeps its label.
type fat struct {
	label    string // in the boot sector
	root     int64  // byte offset of the root directory, or of its first cluster
	rootSize int64  // bytes
}

// parseFAT reads the boot sector. Its label is the fallback: some systems keep it in the root directory only.
func parseFAT(b []byte) (fat, bool) {
	le := binary.LittleEndian
	if len(b) < 512 || b[510] != 0x55 || b[511] != 0xaa || b[0] != 0xeb && b[0] != 0xe9 {
		return fat{}, false
	}
	sector, cluster := int64(le.Uint16(b[11:])), int64(b[13])
	reserved, fats := int64(le.Uint16(b[14:])), int64(b[16])
	switch sector {
	case 512, 1024, 2048, 4096:
	default:
		return fat{}, false
	}
	if cluster == 0 || cluster&(cluster-1) != 0 || reserved == 0 || fats == 0 || fats > 2 {
		return fat{}, false
	}
	if entries, size := int64(le.Uint16(b[17:])), int64(le.Uint16(b[22:])); size != 0 && entries != 0 {
		return fat{label: bootSectorLabel(b[38:]), root: (reserved + fats*size) * sector, rootSize: entries * 32}, true
	}
	// FAT32: the root directory is a file that starts in some cluster; labels are in its first one.
	size, first := int64(le.Uint32(b[36:])), int64(le.Uint32(b[44:]))
	if size == 0 || first < 2 {
		return fat{}, false
	}
	return fat{
		label: bootSectorLabel(b[66:]), root: (reserved + fats*size + (first-2)*cluster) * sector, rootSize: cluster * sector,
	}, true
}

// bootSectorLabel reads the label of the extended boot record that starts with its signature 0x29.
func bootSectorLabel(b []byte) string {
	if b[0] != 0x29 {
		return ""
	}
	return text(b[5:16])
}

// readLabel returns the label in the root directory, or else the boot sector's.
func (f fat) readLabel(r io.ReaderAt) string {
	const (
		volumeID = 0x08 // attribute; long names have all of readOnly|hidden|system|volumeID
		longName = 0x0f
	)
	b := make([]byte, min(f.rootSize, 64<<10))
	n, _ := r.ReadAt(b, f.root)
	for entry := range slices.Chunk(b[:n], 32) {
		switch {
		case len(entry) < 32 || entry[0] == 0: // the directory's end
			return f.label
		case entry[0] != 0xe5 && entry[11]&volumeID != 0 && entry[11]&longName != longName:
			return text(entry[:11])
		}
	}
	return f.label
}

// text reads a string of fixed length, padded with zeros or blanks.
func text(b []byte) string {
	if end := bytes.IndexByte(b, 0); end >= 0 {
		b = b[:end]
	}
	return strings.TrimRight(string(b), " ")
}
