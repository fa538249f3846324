// Package build makes slot images. It is apart from package slot because the initramfs needs that one only.
//
// The order is: [Verity] over the root, [Plan] of the layout, the initrd with that layout in it, [Assemble].
package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"github.com/containerd/go-dmverity/pkg/verity"
)

// BlockSize of the root's data and of its hash tree, in bytes. The kernel takes none above its page size.
const BlockSize = 4096

// Tree is a dm-verity hash tree in a file, with the superblock of veritysetup in front.
type Tree struct {
	Path       string
	Size       uint64 // bytes, superblock included
	RootHash   string // hex
	Salt       string // hex
	RootSize   uint64 // bytes of the root that it is over
	RootSHA256 string // hex digest of the whole root image, for manifests
}

// Verity writes the hash tree of the file root to the file tree, without a loop device. The salt makes equal
// blocks of different images differ; nil takes it from the root's own digest, so that a build repeats byte for byte.
func Verity(ctx context.Context, root, tree string, salt []byte) (Tree, error) {
	digest, size, err := fileSHA256(ctx, root)
	if err != nil {
		return Tree{}, err
	}
	if size == 0 || size%BlockSize != 0 {
		return Tree{}, fmt.Errorf("hash tree of %s: its size %d is not a positive multiple of %d: let the file system's maker pad it", root, size, BlockSize)
	}
	if salt == nil {
		salt = digest
	}
	p := verity.DefaultParams()
	p.DataBlockSize, p.HashBlockSize = BlockSize, BlockSize
	p.DataBlocks = size / BlockSize
	p.Salt, p.SaltSize = salt, uint16(len(salt))
	p.HashAreaOffset = BlockSize // the tree follows the superblock's block
	// A name-based UUID (RFC 9562, version 8): random ones would make builds differ.
	uuid := sha256.Sum256(append([]byte("coracle verity "), digest...))
	copy(p.UUID[:], uuid[:])
	p.UUID[6] = p.UUID[6]&0x0f | 0x80
	p.UUID[8] = p.UUID[8]&0x3f | 0x80

	hash, err := verity.Create(&p, root, tree)
	if err != nil {
		return Tree{}, fmt.Errorf("hash tree of %s: %w", root, err)
	}
	st, err := os.Stat(tree)
	if err != nil {
		return Tree{}, err
	}
	return Tree{
		Path: tree, Size: uint64(st.Size()), RootHash: hex.EncodeToString(hash), Salt: hex.EncodeToString(salt),
		RootSize: size, RootSHA256: hex.EncodeToString(digest),
	}, nil
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
