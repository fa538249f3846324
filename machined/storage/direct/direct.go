// Package direct reads and writes disks and partitions past the page cache: a slot is larger than the memory of a small machine,
// and what is read back to be compared has to come from the disk.
package direct

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/images/slot"
)

const (
	// Sector is the largest that disks have, in bytes.
	Sector = 4096
	// BlockSize is how much is read or written at a time, in bytes.
	BlockSize = slot.Align
)

// File copies through memory that is aligned as O_DIRECT wants it. Offsets and sizes are multiples of [Sector].
type File struct {
	*os.File
}

// Open opens a disk or a partition, and returns its size in bytes.
func Open(path string) (*File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) { // a file system without it, in tests
		f, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, 0, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("size of %s: %w", path, err)
	}
	return &File{f}, size, nil
}

func (f *File) ReadAt(p []byte, at int64) (int, error) {
	if aligned(p) {
		return f.File.ReadAt(p, at)
	}
	b, err := NewBlock((len(p) + Sector - 1) / Sector * Sector)
	if err != nil {
		return 0, err
	}
	defer b.Free()
	n, err := f.File.ReadAt(b, at)
	return copy(p, b[:n]), err
}

func (f *File) WriteAt(p []byte, at int64) (int, error) {
	if aligned(p) {
		return f.File.WriteAt(p, at)
	}
	b, err := NewBlock(len(p))
	if err != nil {
		return 0, err
	}
	defer b.Free()
	copy(b, p)
	return f.File.WriteAt(b, at)
}

// Block is memory at the start of a page, which the collector does not move.
type Block []byte

// NewBlock allocates size bytes, which are to be freed.
func NewBlock(size int) (Block, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("memory for a block of %d bytes: %w", size, err)
	}
	return b, nil
}

// Free gives the memory back.
func (b Block) Free() { unix.Munmap(b) }
