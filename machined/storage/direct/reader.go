package direct

import (
	"fmt"
	"io"
)

// Reader reads the first size bytes of a partition, in whole blocks.
type Reader struct {
	p    io.ReaderAt
	size int64
	at   int64
	b    Block
	left []byte
}

// NewReader reads the first size bytes of p. It is to be closed.
func NewReader(p io.ReaderAt, size int64) (*Reader, error) {
	b, err := NewBlock(BlockSize)
	return &Reader{p: p, size: size / Sector * Sector, b: b}, err
}

func (r *Reader) Read(to []byte) (int, error) {
	if len(r.left) == 0 {
		n := min(int64(len(r.b)), r.size-r.at)
		if n <= 0 {
			return 0, io.EOF
		}
		if _, err := r.p.ReadAt(r.b[:n], r.at); err != nil {
			return 0, fmt.Errorf("read the disk at %d: %w", r.at, err)
		}
		r.left, r.at = r.b[:n], r.at+n
	}
	n := copy(to, r.left)
	r.left = r.left[n:]
	return n, nil
}

// Close frees its memory.
func (r *Reader) Close() { r.b.Free() }
