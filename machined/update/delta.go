package update

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/coracle-os/coracle/images/slot/chunks"
	"github.com/coracle-os/coracle/machined/storage/direct"
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
	saved  atomic.Uint64 // bytes of the packed image that were not fetched
	next   int           // chunk
	offset int64         // of its frame
	run    *resumed
	runEnd int // chunk at which the run of fetched frames ends
	frame  []byte
	chunk  []byte
	block  direct.Block // for chunks that are here
	left   []byte
	close  func() error // of slot
}

// newDelta looks at what the slot that runs has: its first size bytes.
func newDelta(ctx context.Context, f *fetched, start int64, index chunks.Index, slot io.ReaderAt, size int64) (*delta, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(chunks.Largest))
	if err != nil {
		return nil, err
	}
	b, err := direct.NewBlock(chunks.Largest + 2*direct.Sector)
	if err != nil {
		return nil, err
	}
	d := &delta{ctx: ctx, from: f, start: start, index: index, slot: slot, zstd: z, local: map[chunks.Hash]place{}, block: b}
	wanted := map[chunks.Hash]bool{}
	for _, c := range index {
		wanted[c.Hash] = true
	}
	if err := d.lookAround(wanted, size); err != nil {
		d.free()
		return nil, fmt.Errorf("look for what the slot that runs has: %w", err)
	}
	return d, nil
}

// lookAround notes which of the chunks that are wanted are in the slot that runs.
func (d *delta) lookAround(wanted map[chunks.Hash]bool, size int64) error {
	section, err := direct.NewReader(d.slot, size)
	if err != nil {
		return err
	}
	defer section.Close()
	at := int64(0)
	return chunks.Split(section, func(chunk []byte) error {
		if h := chunks.Sum(chunk); wanted[h] {
			d.local[h] = place{at, uint32(len(chunk))}
		}
		at += int64(len(chunk))
		return d.ctx.Err()
	})
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
		if d.takeLocal(c) {
			return nil
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
	d.done(c, chunk)
	return nil
}

// takeLocal takes a chunk from the slot that runs, if it is there, can be read, and still is what it was.
func (d *delta) takeLocal(c chunks.Chunk) bool {
	p, ok := d.local[c.Hash]
	if !ok {
		return false
	}
	first := p.at / direct.Sector * direct.Sector
	last := (p.at + int64(p.size) + direct.Sector - 1) / direct.Sector * direct.Sector
	b := d.block[:last-first]
	_, err := d.slot.ReadAt(b, first)
	chunk := b[p.at-first:][:p.size]
	if err != nil || p.size != c.Size || chunks.Sum(chunk) != c.Hash {
		delete(d.local, c.Hash)
		return false
	}
	d.saved.Add(uint64(c.Packed))
	d.done(c, chunk)
	return true
}

// smallGap is how much of what is here is fetched rather than asking anew for what comes after it, in bytes.
const smallGap = 16 << 10

// startRun asks for all frames up to the next chunks that are here: in one request.
func (d *delta) startRun() {
	if d.run != nil {
		d.run.Close()
	}
	length, gap := int64(0), int64(0)
	for i := d.next; i < len(d.index) && gap <= smallGap; i++ {
		c := d.index[i]
		gap += int64(c.Packed)
		if _, ok := d.local[c.Hash]; !ok {
			length, gap = length+gap, 0
			d.runEnd = i + 1
		}
	}
	d.run = d.from.section(d.ctx, d.start+d.offset, length)
}

func (d *delta) done(c chunks.Chunk, chunk []byte) {
	d.left = chunk
	d.next++
	d.offset += int64(c.Packed)
}

func (d *delta) free() {
	d.zstd.Close()
	d.block.Free()
}

func (d *delta) Close() error {
	d.free()
	if d.run != nil {
		d.run.Close()
	}
	return d.close()
}
