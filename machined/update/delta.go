package update

import (
	"context"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/coracle-os/coracle/images/slot/chunks"
)

// place is where a chunk is in the slot that runs.
type place struct {
	at   int64
	size uint32
}

// delta is a slot image that is put together: from chunks of the slot that runs, and from what is fetched.
type delta struct {
	ctx    context.Context
	from   *fetched
	start  int64 // of the packed image in the artifact, bytes
	index  chunks.Index
	local  map[chunks.Hash]place
	slot   io.ReaderAt
	zstd   *zstd.Decoder
	saved  uint64 // bytes of the packed image that were not fetched
	next   int    // chunk
	offset int64  // of its frame
	run    *resumed
	runEnd int // chunk at which the run of fetched frames ends
	frame  []byte
	chunk  []byte
	left   []byte
	close  func() error // of slot
}

// newDelta looks at what the slot that runs has: its first size bytes.
func newDelta(ctx context.Context, f *fetched, start int64, index chunks.Index, slot io.ReaderAt, size int64) (*delta, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(chunks.Largest))
	if err != nil {
		return nil, err
	}
	d := &delta{ctx: ctx, from: f, start: start, index: index, slot: slot, zstd: z, local: map[chunks.Hash]place{}}
	wanted := map[chunks.Hash]bool{}
	for _, c := range index {
		wanted[c.Hash] = true
	}
	section, err := newSectionReader(slot, size)
	if err != nil {
		return nil, err
	}
	defer section.Close()
	at := int64(0)
	err = chunks.Split(section, func(chunk []byte) error {
		if h := chunks.Sum(chunk); wanted[h] {
			d.local[h] = place{at, uint32(len(chunk))}
		}
		at += int64(len(chunk))
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("look for what the slot that runs has: %w", err)
	}
	return d, nil
}

func (d *delta) Read(p []byte) (int, error) {
	for len(d.left) == 0 {
		if d.next == len(d.index) {
			return 0, io.EOF
		}
		if err := d.advance(); err != nil {
			return 0, err
		}
	}
	n := copy(p, d.left)
	d.left = d.left[n:]
	return n, nil
}

// advance takes the next chunk from where it is.
func (d *delta) advance() error {
	c := d.index[d.next]
	if d.next >= d.runEnd {
		if ok, err := d.takeLocal(c); ok || err != nil {
			return err
		}
		d.startRun()
	}
	if cap(d.frame) < int(c.Packed) {
		d.frame = make([]byte, c.Packed)
	}
	frame := d.frame[:c.Packed]
	if _, err := io.ReadFull(d.run, frame); err != nil {
		return fmt.Errorf("fetch chunk %d: %w", d.next, err)
	}
	chunk, err := d.zstd.DecodeAll(frame, d.chunk[:0])
	if err != nil || len(chunk) != int(c.Size) || chunks.Sum(chunk) != c.Hash {
		return errDamaged
	}
	d.chunk = chunk
	d.done(c)
	return nil
}

// takeLocal takes a chunk from the slot that runs, if it is there and still what it was.
func (d *delta) takeLocal(c chunks.Chunk) (bool, error) {
	p, ok := d.local[c.Hash]
	if !ok || p.size != c.Size {
		return false, nil
	}
	first := p.at / sector * sector
	last := (p.at + int64(p.size) + sector - 1) / sector * sector
	b := make([]byte, last-first)
	if _, err := d.slot.ReadAt(b, first); err != nil {
		return false, fmt.Errorf("read the slot that runs: %w", err)
	}
	chunk := b[p.at-first:][:p.size]
	if chunks.Sum(chunk) != c.Hash {
		delete(d.local, c.Hash)
		return false, nil
	}
	d.saved += uint64(c.Packed)
	d.chunk = chunk
	d.done(c)
	return true, nil
}

// startRun asks for all frames up to the next chunk that is here: in one request.
func (d *delta) startRun() {
	if d.run != nil {
		d.run.Close()
	}
	length := int64(0)
	for d.runEnd = d.next; d.runEnd < len(d.index); d.runEnd++ {
		if _, ok := d.local[d.index[d.runEnd].Hash]; ok {
			break
		}
		length += int64(d.index[d.runEnd].Packed)
	}
	d.run = d.from.section(d.ctx, d.start+d.offset, length)
}

func (d *delta) done(c chunks.Chunk) {
	d.left = d.chunk
	d.next++
	d.offset += int64(c.Packed)
}

func (d *delta) Close() error {
	d.zstd.Close()
	if d.run != nil {
		d.run.Close()
	}
	return d.close()
}
