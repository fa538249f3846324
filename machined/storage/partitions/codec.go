package partitions

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	headerSize = 92
	entrySize  = 128
	maxEntries = 1024
	revision   = 0x00010000
)

var signature = []byte("EFI PART")

// ErrNone is that a disk has neither an MBR with partitions nor a GPT.
var ErrNone = errors.New("there is no GPT header")

// header is a GPT header, either copy.
type header struct {
	my, alternate           uint64 // LBA of this header and of the other one
	firstUsable, lastUsable uint64
	disk                    GUID
	entries                 uint64 // LBA
	count                   uint32
	entriesCRC              uint32
}

// parseHeader reads the header in sector, which was read from LBA at.
func parseHeader(sector []byte, at uint64) (header, error) {
	var h header
	le := binary.LittleEndian
	if len(sector) < headerSize || !bytes.Equal(sector[:8], signature) {
		return h, ErrNone
	}
	size := le.Uint32(sector[12:])
	if size < headerSize || int64(size) > int64(len(sector)) {
		return h, fmt.Errorf("the GPT header says that it has %d bytes", size)
	}
	raw := bytes.Clone(sector[:size])
	clear(raw[16:20])
	if crc32.ChecksumIEEE(raw) != le.Uint32(sector[16:]) {
		return h, errors.New("the GPT header's checksum is wrong")
	}
	h = header{
		my: le.Uint64(sector[24:]), alternate: le.Uint64(sector[32:]),
		firstUsable: le.Uint64(sector[40:]), lastUsable: le.Uint64(sector[48:]),
		disk: GUID(sector[56:72]), entries: le.Uint64(sector[72:]),
		count: le.Uint32(sector[80:]), entriesCRC: le.Uint32(sector[88:]),
	}
	switch {
	case h.my != at:
		return h, fmt.Errorf("the GPT header in sector %d says that it belongs in sector %d", at, h.my)
	case le.Uint32(sector[84:]) != entrySize:
		return h, fmt.Errorf("the GPT has entries of %d bytes, only %d are supported", le.Uint32(sector[84:]), entrySize)
	case h.count == 0 || h.count > maxEntries:
		return h, fmt.Errorf("the GPT has %d entries, only 1 to %d are supported", h.count, maxEntries)
	}
	return h, nil
}

// bytes encodes h as the first bytes of its sector.
func (h header) bytes(sectorSize uint64) []byte {
	le := binary.LittleEndian
	b := make([]byte, sectorSize)
	copy(b, signature)
	le.PutUint32(b[8:], revision)
	le.PutUint32(b[12:], headerSize)
	le.PutUint64(b[24:], h.my)
	le.PutUint64(b[32:], h.alternate)
	le.PutUint64(b[40:], h.firstUsable)
	le.PutUint64(b[48:], h.lastUsable)
	copy(b[56:], h.disk[:])
	le.PutUint64(b[72:], h.entries)
	le.PutUint32(b[80:], h.count)
	le.PutUint32(b[84:], entrySize)
	le.PutUint32(b[88:], h.entriesCRC)
	le.PutUint32(b[16:], crc32.ChecksumIEEE(b[:headerSize]))
	return b
}

// parseEntries reads the partitions in b, whose checksum must be crc.
func parseEntries(b []byte, crc uint32) ([]Partition, error) {
	if crc32.ChecksumIEEE(b) != crc {
		return nil, errors.New("the checksum of the GPT's entries is wrong")
	}
	le := binary.LittleEndian
	partitions := make([]Partition, len(b)/entrySize)
	for i := range partitions {
		e := b[i*entrySize:]
		p := &partitions[i]
		p.Type, p.ID = GUID(e[0:16]), GUID(e[16:32])
		p.First, p.Last, p.Attributes = le.Uint64(e[32:]), le.Uint64(e[40:]), le.Uint64(e[48:])
		for j := range p.Label {
			p.Label[j] = le.Uint16(e[56+2*j:])
		}
	}
	return partitions, nil
}

// encodeEntries is the inverse of parseEntries.
func encodeEntries(partitions []Partition) []byte {
	le := binary.LittleEndian
	b := make([]byte, len(partitions)*entrySize)
	for i, p := range partitions {
		e := b[i*entrySize:]
		copy(e[0:], p.Type[:])
		copy(e[16:], p.ID[:])
		le.PutUint64(e[32:], p.First)
		le.PutUint64(e[40:], p.Last)
		le.PutUint64(e[48:], p.Attributes)
		for j, c := range p.Label {
			le.PutUint16(e[56+2*j:], c)
		}
	}
	return b
}
