package direct

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/blake2b"
)

// ErrLonger is that an image has more bytes than it should.
var ErrLonger = errors.New("the image is longer than it should be")

// full is a block that was filled from an image.
type full struct {
	Block
	n   int
	err error
}

// Copy writes size bytes of image, which has no more, to the start of p, and returns their BLAKE2b-256 in hex. Unpacking and hashing go on while a block
// is written.
func Copy(ctx context.Context, p io.WriterAt, image io.Reader, size uint64, progress func(done uint64)) (hash string, err error) {
	h, err := blake2b.New256(nil)
	if err != nil {
		return "", err
	}
	const ahead = 3
	empty, filled := make(chan Block, ahead), make(chan full, ahead)
	for range ahead {
		b, err := NewBlock(BlockSize)
		if err != nil {
			return "", err
		}
		defer b.Free()
		empty <- b
	}
	ctx, cancel := context.WithCancel(ctx)
	reading := make(chan struct{})
	defer func() { // before the blocks are freed, nobody must write to them
		cancel()
		<-reading
	}()
	go func() {
		defer close(reading)
		defer close(filled)
		for left := size; ; {
			var b Block
			select {
			case b = <-empty:
			case <-ctx.Done():
				return
			}
			n, err := io.ReadFull(image, b[:min(BlockSize, left+1)]) // one more than there may be
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			if uint64(n) > left {
				filled <- full{b, 0, ErrLonger}
				return
			}
			h.Write(b[:n])
			left -= uint64(n)
			filled <- full{b, n, err}
			if err != nil {
				return
			}
		}
	}()
	done := uint64(0)
	for f := range filled {
		ended := errors.Is(f.err, io.EOF)
		switch {
		case f.err != nil && !ended:
			return "", fmt.Errorf("read the image at %d: %w", done+uint64(f.n), f.err)
		case ended && done+uint64(f.n) < size:
			return "", fmt.Errorf("the image ends early: it has %d of %d bytes", done+uint64(f.n), size)
		}
		if f.n > 0 {
			if _, err := p.WriteAt(f.Block[:f.n], int64(done)); err != nil {
				return "", fmt.Errorf("write to the disk at %d: %w", done, err)
			}
			done += uint64(f.n)
			progress(done)
		}
		if ended {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		select {
		case empty <- f.Block:
		case <-ctx.Done():
		}
	}
	return "", context.Cause(ctx)
}

// Hash reads size bytes from the start of p, from the disk, and returns their BLAKE2b-256 in hex.
func Hash(ctx context.Context, p io.ReaderAt, size uint64, progress func(done uint64)) (string, error) {
	h, err := blake2b.New256(nil)
	if err != nil {
		return "", err
	}
	b, err := NewBlock(BlockSize)
	if err != nil {
		return "", err
	}
	defer b.Free()
	for done := uint64(0); done < size; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n := min(BlockSize, size-done)
		if _, err := p.ReadAt(b[:(n+Sector-1)/Sector*Sector], int64(done)); err != nil {
			return "", fmt.Errorf("read the disk at %d: %w", done, err)
		}
		h.Write(b[:n])
		done += n
		progress(done)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
