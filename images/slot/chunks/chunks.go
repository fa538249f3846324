// Package chunks cuts slot images where their content says, so that what two versions have in common is the same chunks
// wherever it is. A machine takes those that it has from the version that it runs, and fetches the others.
package chunks

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/restic/chunker"
	"golang.org/x/crypto/blake2b"
)

// Sizes of chunks in bytes. The root's compressed blocks are about 20 KiB and come in runs as long as a program. With chunks of
// half these sizes an upgrade fetches 0.3 % of the artifact less, and an index that is larger by 0.07 %; with twice these, 0.4 %
// more. TestShare measures it. They are part of the format: other sizes cut elsewhere.
const (
	smallest    = 8 << 10
	averageBits = 15
	Largest     = 128 << 10
)

// mostPacked is more than any frame of a chunk has, in bytes: what does not compress is stored, with a few bytes of headers.
const mostPacked = Largest + 1<<10

// polynomial is irreducible (chunker.RandomPolynomial made it), and part of the format: another cuts elsewhere.
const polynomial = chunker.Pol(0x3DA3358B4DC173)

// Split calls each with the chunks of r, in order. A chunk is only valid during the call.
func Split(r io.Reader, each func(chunk []byte) error) error {
	c := chunker.NewWithBoundaries(r, polynomial, smallest, Largest)
	c.SetAverageBits(averageBits)
	buffer := make([]byte, Largest)
	for {
		chunk, err := c.Next(buffer)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(chunk.Data); err != nil {
			return err
		}
	}
}

// Hash is the BLAKE2b-256 of a chunk.
type Hash = [32]byte

// Sum is the hash of a chunk.
func Sum(chunk []byte) Hash { return blake2b.Sum256(chunk) }

// Chunk is a part of a slot image. In slot.img.zst it is a zstd frame of its own.
type Chunk struct {
	Hash   Hash
	Size   uint32 // bytes
	Packed uint32 // bytes of its frame
}

// Index lists the chunks of a slot image, in order: where one is, is the sum of those before it.
type Index []Chunk

// magic begins an index; its last byte is the format's version.
var magic = []byte("CORACLEIDX\x00\x01")

const entry = 32 + 4 + 4 // bytes

// Most bytes that an index may have: that of a slot of 4 GiB in chunks of 8 KiB would be 20 MiB; a machine would not have
// the memory.
const Most = 4 << 20

// MarshalBinary writes an index: [magic], then hash, size and packed size of each chunk, big-endian.
func (x Index) MarshalBinary() ([]byte, error) {
	b := bytes.Clone(magic)
	for _, c := range x {
		b = append(b, c.Hash[:]...)
		b = binary.BigEndian.AppendUint32(b, c.Size)
		b = binary.BigEndian.AppendUint32(b, c.Packed)
	}
	if len(b) > Most {
		return nil, fmt.Errorf("index of chunks: %d bytes, at most %d", len(b), Most)
	}
	return b, nil
}

// Parse reads an index.
func Parse(b []byte) (Index, error) {
	rest, ok := bytes.CutPrefix(b, magic)
	switch {
	case !ok:
		return nil, errors.New("index of chunks: it does not start as one")
	case len(b) > Most:
		return nil, fmt.Errorf("index of chunks: %d bytes, at most %d", len(b), Most)
	case len(rest)%entry != 0:
		return nil, errors.New("index of chunks: it ends in the middle of a chunk")
	}
	x := make(Index, 0, len(rest)/entry)
	for ; len(rest) > 0; rest = rest[entry:] {
		c := Chunk{Hash: Hash(rest[:32]), Size: binary.BigEndian.Uint32(rest[32:]), Packed: binary.BigEndian.Uint32(rest[36:])}
		if c.Size == 0 || c.Size > Largest || c.Packed == 0 || c.Packed > mostPacked {
			return nil, fmt.Errorf("index of chunks: chunk %d has %d bytes, packed %d", len(x), c.Size, c.Packed)
		}
		x = append(x, c)
	}
	return x, nil
}

// Totals are the bytes of all chunks, and of their frames.
func (x Index) Totals() (size, packed uint64) {
	for _, c := range x {
		size += uint64(c.Size)
		packed += uint64(c.Packed)
	}
	return size, packed
}
