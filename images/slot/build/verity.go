// Package build makes slot images. It is apart from package slot because the initramfs needs that one only.
//
// The order is: [Verity] over the root, [Plan] of the layout, the initrd with that layout in it, [Assemble].
package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/blake2b"

	"github.com/coracle-os/coracle/images/slot"
)

// BlockSize of the root's data and of its hash tree, in bytes. The kernel takes none above its page size.
const BlockSize = 4096

// Tree is a dm-verity hash tree in a file, with the superblock of veritysetup in front.
type Tree struct {
	Path       string
	Algorithm  string // one of slot.HashAlgorithms
	Size       uint64 // bytes, superblock included
	RootHash   string // hex
	RootSize   uint64 // bytes of the root that it is over
	RootSHA256 string // hex digest of the whole root image, for manifests
}

// hashes are what trees can be made with: each of [slot.HashAlgorithms].
var hashes = map[string]func() (hash.Hash, error){
	"blake2b-256": func() (hash.Hash, error) { return blake2b.New256(nil) },
	"sha256":      func() (hash.Hash, error) { return sha256.New(), nil },
}

// Verity writes the hash tree of the file root to the file tree, as the kernel's dm-verity.rst and veritysetup define
// it (version 1), with one of [slot.HashAlgorithms]. There is no salt, which makes equal blocks of different images differ: what two
// versions have in common, their trees have too, and an upgrade does not fetch it.
func Verity(ctx context.Context, root, tree, algorithm string) (Tree, error) {
	newHash, ok := hashes[algorithm]
	if !ok {
		return Tree{}, fmt.Errorf("hash tree of %s: algorithm %q is not one of %s", root, algorithm, strings.Join(slot.HashAlgorithms, ", "))
	}
	h, err := newHash()
	if err != nil {
		return Tree{}, err
	}
	digest, size, err := fileSHA256(ctx, root)
	if err != nil {
		return Tree{}, err
	}
	if size == 0 || size%BlockSize != 0 {
		return Tree{}, fmt.Errorf("hash tree of %s: its size %d is not a positive multiple of %d: let the file system's maker pad it", root, size, BlockSize)
	}
	f, err := os.Open(root)
	if err != nil {
		return Tree{}, err
	}
	defer f.Close()
	rootHash, levels, err := hashTree(h, contextReader{ctx, f})
	if err != nil {
		return Tree{}, fmt.Errorf("hash tree of %s: %w", root, err)
	}
	out := newSuperblock(algorithm, digest, size).block()
	for _, level := range slices.Backward(levels) { // the top comes first
		out = append(out, level...)
	}
	if err := os.WriteFile(tree, out, 0o644); err != nil {
		return Tree{}, err
	}
	return Tree{
		Path: tree, Algorithm: algorithm, Size: uint64(len(out)), RootHash: hex.EncodeToString(rootHash),
		RootSize: size, RootSHA256: hex.EncodeToString(digest),
	}, nil
}

// hashTree returns the hash that stands for all blocks of data, and the levels between, the one over the data first.
// Each level is the hashes of the blocks of the one below, filled up with zeros to whole blocks.
func hashTree(h hash.Hash, data io.Reader) (rootHash []byte, levels [][]byte, err error) {
	for {
		level, err := hashBlocks(h, data)
		if err != nil {
			return nil, nil, err
		}
		if len(level) == h.Size() {
			return level, levels, nil
		}
		if part := len(level) % BlockSize; part != 0 {
			level = append(level, make([]byte, BlockSize-part)...)
		}
		levels = append(levels, level)
		data = bytes.NewReader(level)
	}
}

func hashBlocks(h hash.Hash, data io.Reader) (hashes []byte, err error) {
	block := make([]byte, BlockSize)
	for {
		if _, err := io.ReadFull(data, block); err == io.EOF {
			return hashes, nil
		} else if err != nil {
			return nil, err
		}
		h.Reset()
		h.Write(block)
		hashes = h.Sum(hashes)
	}
}

// superblock is struct verity_sb of cryptsetup's lib/verity/verity.c, little-endian. The kernel does not read it;
// veritysetup does.
type superblock struct {
	Signature     [8]byte
	Version       uint32
	HashType      uint32
	UUID          [16]byte
	Algorithm     [32]byte
	DataBlockSize uint32
	HashBlockSize uint32
	DataBlocks    uint64
	SaltSize      uint16
	_             [6]byte
	Salt          [256]byte
	_             [168]byte
}

func newSuperblock(algorithm string, digest []byte, size uint64) superblock {
	s := superblock{
		Version: 1, HashType: 1, DataBlockSize: BlockSize, HashBlockSize: BlockSize, DataBlocks: size / BlockSize,
	}
	copy(s.Signature[:], "verity")
	copy(s.Algorithm[:], algorithm)
	// A name-based UUID (RFC 9562, version 8): random ones would make builds differ.
	uuid := sha256.Sum256(append([]byte("coracle verity "), digest...))
	copy(s.UUID[:], uuid[:])
	s.UUID[6] = s.UUID[6]&0x0f | 0x80
	s.UUID[8] = s.UUID[8]&0x3f | 0x80
	return s
}

// block is the superblock as it is on disk, in a block of its own.
func (s superblock) block() []byte {
	b := make([]byte, BlockSize)
	if _, err := binary.Encode(b, binary.LittleEndian, s); err != nil {
		panic(err) // the struct has a fixed size, and fits
	}
	return b
}

func fileSHA256(ctx context.Context, name string) (digest []byte, size uint64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, contextReader{ctx, f})
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", name, err)
	}
	return h.Sum(nil), uint64(n), nil
}

// contextReader stops a copy of hundreds of megabytes when the build is cancelled.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
