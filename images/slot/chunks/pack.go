package chunks

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Pack writes the slot image r to w as slot.img.zst: a zstd frame for each chunk, which any zstd unpacks as one stream. The
// same image gives the same bytes. A frame has no checksum: the image as a whole has a hash, and so has each chunk.
func Pack(w io.Writer, r io.Reader) (Index, error) {
	// Most of an image is compressed already; what is not is small.
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var index Index
	var frame []byte
	err = Split(r, func(chunk []byte) error {
		frame = z.EncodeAll(chunk, frame[:0])
		index = append(index, Chunk{Hash: Sum(chunk), Size: uint32(len(chunk)), Packed: uint32(len(frame))})
		_, err := w.Write(frame)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pack the slot image: %w", err)
	}
	return index, nil
}
