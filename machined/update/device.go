package update

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/record"
)

// partition is a slot's partition.
type partition interface {
	record.File
	io.Closer
}

// openPartition opens a slot's partition and returns its size in bytes. Data goes past the page cache where it can: a slot
// is larger than the memory of a small machine, and what is read back comes from the disk.
func openPartition(path string) (partition, int64, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) { // a file system without it, in tests
		f, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open the slot: %w", err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("size of the slot: %w", err)
	}
	return &direct{File: f}, size, nil
}

// direct copies through memory that is aligned as O_DIRECT wants it. Offsets and sizes are multiples of [sector].
type direct struct {
	*os.File
}

// sector is the largest that disks have, in bytes.
const sector = 4096

func (d *direct) ReadAt(p []byte, at int64) (int, error) {
	if aligned(p) {
		return d.File.ReadAt(p, at)
	}
	b, err := newBlock((len(p) + sector - 1) / sector * sector)
	if err != nil {
		return 0, err
	}
	defer b.free()
	n, err := d.File.ReadAt(b, at)
	return copy(p, b[:n]), err
}

func (d *direct) WriteAt(p []byte, at int64) (int, error) {
	if aligned(p) {
		return d.File.WriteAt(p, at)
	}
	b, err := newBlock(len(p))
	if err != nil {
		return 0, err
	}
	defer b.free()
	copy(b, p)
	return d.File.WriteAt(b, at)
}

// block is memory at the start of a page, which the collector does not move.
type block []byte

func newBlock(size int) (block, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("memory for a block of %d bytes: %w", size, err)
	}
	return b, nil
}

func (b block) free() { unix.Munmap(b) }

// blockSize is how much is written at a time, in bytes.
const blockSize = slot.Align
