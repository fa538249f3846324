package update

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/blake2b"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/record"
)

// errDamaged is that an image is not the one that was signed.
var errDamaged = errors.New("what arrived is not what was signed: it was damaged on its way; try again")

// writeImage writes an unpacked slot image to the idle slot and returns when it is on the disk and was read back. Until
// then the slot has no record, and nobody boots it. progress gets the bytes that are done.
func writeImage(ctx context.Context, p partition, size int64, image io.Reader, want artifact.Part, progress func(step string, done uint64)) error {
	// First of all: whatever happens from here on, the slot does not count as whole.
	if err := record.Write(p, size, record.Record{}); err != nil {
		return err
	}
	got, err := copyBlocks(ctx, p, image, want.Size, func(done uint64) { progress(StepWrite, done) })
	if err != nil {
		return err
	}
	if got != want.Hash {
		return errDamaged
	}
	if err := p.Sync(); err != nil {
		return fmt.Errorf("write to the slot: %w", err)
	}
	got, err = hashImage(ctx, p, want.Size, func(done uint64) { progress(StepVerify, done) })
	if err != nil {
		return err
	}
	if got != want.Hash {
		return errors.New("what was written to the slot is not what is read from it: the disk is failing")
	}
	return nil
}

// full is a block that was filled from an image.
type full struct {
	block
	n   int
	err error
}

// copyBlocks writes size bytes of image to the start of p, and returns their hash. Unpacking and hashing go on while a block
// is written.
func copyBlocks(ctx context.Context, p io.WriterAt, image io.Reader, size uint64, progress func(done uint64)) (hash string, err error) {
	h, err := blake2b.New256(nil)
	if err != nil {
		return "", err
	}
	const ahead = 3
	empty, filled := make(chan block, ahead), make(chan full, ahead)
	for range ahead {
		b, err := newBlock(blockSize)
		if err != nil {
			return "", err
		}
		defer b.free()
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
			var b block
			select {
			case b = <-empty:
			case <-ctx.Done():
				return
			}
			n, err := io.ReadFull(image, b[:min(blockSize, left+1)]) // one more than there may be
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			if uint64(n) > left {
				filled <- full{b, 0, errDamaged}
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
			return "", fmt.Errorf("the artifact ends early: its image has %d of %d bytes", done+uint64(f.n), size)
		}
		if f.n > 0 {
			if _, err := p.WriteAt(f.block[:f.n], int64(done)); err != nil {
				return "", fmt.Errorf("write to the slot at %d: %w", done, err)
			}
			done += uint64(f.n)
			progress(done)
		}
		if ended {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		select {
		case empty <- f.block:
		case <-ctx.Done():
		}
	}
	return "", context.Cause(ctx)
}

// hashImage reads size bytes from the start of p, from the disk.
func hashImage(ctx context.Context, p io.ReaderAt, size uint64, progress func(done uint64)) (string, error) {
	h, err := blake2b.New256(nil)
	if err != nil {
		return "", err
	}
	b, err := newBlock(blockSize)
	if err != nil {
		return "", err
	}
	defer b.free()
	for done := uint64(0); done < size; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n := min(blockSize, size-done)
		if _, err := p.ReadAt(b[:(n+sector-1)/sector*sector], int64(done)); err != nil {
			return "", fmt.Errorf("read the slot at %d: %w", done, err)
		}
		h.Write(b[:n])
		done += n
		progress(done)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sectionReader reads the first size bytes of a partition, in whole blocks.
type sectionReader struct {
	p    io.ReaderAt
	size int64
	at   int64
	b    block
	left []byte
}

func newSectionReader(p io.ReaderAt, size int64) (*sectionReader, error) {
	b, err := newBlock(blockSize)
	return &sectionReader{p: p, size: size / sector * sector, b: b}, err
}

func (r *sectionReader) Read(to []byte) (int, error) {
	if len(r.left) == 0 {
		n := min(int64(len(r.b)), r.size-r.at)
		if n <= 0 {
			return 0, io.EOF
		}
		if _, err := r.p.ReadAt(r.b[:n], r.at); err != nil {
			return 0, fmt.Errorf("read the slot at %d: %w", r.at, err)
		}
		r.left, r.at = r.b[:n], r.at+n
	}
	n := copy(to, r.left)
	r.left = r.left[n:]
	return n, nil
}

func (r *sectionReader) Close() { r.b.free() }
