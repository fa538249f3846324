// Package slot defines the slot format: what one system partition holds, front to back.
//
//	[FAT: vmlinuz, initrd, grub.cfg, manifest.json][root file system][verity hash tree]
//
// Every part starts at a multiple of [Align].
package slot

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Align is the alignment of each part of a slot, in bytes.
const Align = 1 << 20

// RecordSize is how many bytes at the end of a slot's partition no slot image reaches: images/slot/record is there.
const RecordSize = 64 << 10

// HashAlgorithms are what slots' hash trees are made with, by the kernel's names. Of each, a hash has [hashSize] bytes.
// docs/decisions/0080 says why the first, docs/decisions/0150 why not always.
var HashAlgorithms = []string{"blake2b-256", "sha256"}

// LayoutPath is where the initrd carries its slot's [Layout].
const LayoutPath = "/etc/coracle/slot.json"

// Layout says where the root and its hash tree are in a slot, and what the root must hash to.
// Offsets and sizes are bytes, offsets from the slot's first byte.
type Layout struct {
	Version       string `json:"version"`       // Coracle's version
	Arch          string `json:"arch"`          // GOARCH
	RootOffset    uint64 `json:"rootOffset"`    // start of the root file system
	RootSize      uint64 `json:"rootSize"`      // a multiple of DataBlockSize
	HashOffset    uint64 `json:"hashOffset"`    // start of the verity superblock; the tree follows it
	HashAlgorithm string `json:"hashAlgorithm"` // one of HashAlgorithms
	RootHash      string `json:"rootHash"`      // hex
	Salt          string `json:"salt"`          // hex, may be empty
	DataBlockSize uint32 `json:"dataBlockSize"` // bytes
	HashBlockSize uint32 `json:"hashBlockSize"` // bytes
}

// ParseLayout reads a Layout and checks that its numbers can be true.
func ParseLayout(b []byte) (Layout, error) {
	var l Layout
	if err := json.Unmarshal(b, &l); err != nil {
		return l, fmt.Errorf("parse slot layout: %w", err)
	}
	const most = 1 << 48 // far beyond any disk, far below an overflow
	switch {
	case l.RootOffset > most || l.RootSize > most || l.HashOffset > most:
		return l, fmt.Errorf("slot layout: an offset or size is above %d", uint64(most))
	case l.DataBlockSize == 0 || l.HashBlockSize == 0:
		return l, fmt.Errorf("slot layout: a block size is zero")
	case l.RootSize == 0 || l.RootSize%uint64(l.DataBlockSize) != 0:
		return l, fmt.Errorf("slot layout: rootSize %d is not a positive multiple of the block size %d", l.RootSize, l.DataBlockSize)
	case l.RootOffset%Align != 0 || l.HashOffset%Align != 0:
		return l, fmt.Errorf("slot layout: offsets %d and %d must be multiples of %d", l.RootOffset, l.HashOffset, Align)
	case l.HashOffset < l.RootOffset+l.RootSize:
		return l, fmt.Errorf("slot layout: the hash tree at %d overlaps the root that ends at %d", l.HashOffset, l.RootOffset+l.RootSize)
	case !slices.Contains(HashAlgorithms, l.HashAlgorithm):
		return l, fmt.Errorf("slot layout: hashAlgorithm is %q, want one of %s", l.HashAlgorithm, strings.Join(HashAlgorithms, ", "))
	case l.HashBlockSize < 2*hashSize:
		return l, fmt.Errorf("slot layout: hashBlockSize %d does not hold two hashes", l.HashBlockSize)
	case len(l.RootHash) != 64:
		return l, fmt.Errorf("slot layout: rootHash has %d hex digits, want 64", len(l.RootHash))
	}
	return l, nil
}

// ImageSize is the size of the whole slot image in bytes: to the end of the hash tree, a multiple of [Align].
func (l Layout) ImageSize() uint64 {
	size := uint64(l.HashBlockSize) // the superblock
	perBlock := uint64(l.HashBlockSize) / hashSize
	for blocks := l.RootSize / uint64(l.DataBlockSize); blocks > 1; {
		blocks = (blocks + perBlock - 1) / perBlock
		size += blocks * uint64(l.HashBlockSize)
	}
	return (l.HashOffset + size + Align - 1) / Align * Align
}

// hashSize is how many bytes a hash has.
const hashSize = 32
