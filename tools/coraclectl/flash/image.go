package flash

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// Image is a disk image that is read once, front to back.
type Image struct {
	name   string
	layout layout
	front  []byte    // the first MiB, or all up to the end of BOOT once a config is in it
	rest   io.Reader // what follows front
	close  func()
}

// zstdMagic begins a zstd frame (RFC 8878 section 3.1.1).
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// Open opens an image, compressed with zstd or not, and looks at its partition table.
func Open(name string) (*Image, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	i := &Image{name: name, rest: f, close: func() { f.Close() }}
	if err := i.begin(f); err != nil {
		i.Close()
		return nil, fmt.Errorf("image %s: %w", name, err)
	}
	return i, nil
}

func (i *Image) begin(f *os.File) error {
	magic := make([]byte, len(zstdMagic))
	if _, err := f.ReadAt(magic, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if bytes.Equal(magic, zstdMagic) {
		d, err := zstd.NewReader(f, zstd.WithDecoderMaxWindow(128*mib))
		if err != nil {
			return err
		}
		i.rest, i.close = d, func() { d.Close(); f.Close() }
	}
	if err := i.extend(headSize); err != nil {
		return err
	}
	var err error
	i.layout, err = readLayout(i.front)
	return err
}

// extend makes front so long, or as long as the image is.
func (i *Image) extend(size int64) error {
	more, err := io.ReadAll(io.LimitReader(i.rest, size-int64(len(i.front))))
	i.front = append(i.front, more...)
	return err
}

// Close closes the image.
func (i *Image) Close() { i.close() }

// Need is the size in bytes of the smallest disk that a machine can run from with this image.
func (i *Image) Need() int64 { return i.layout.need() }

// PutConfig puts a machine config on BOOT, as it will be written.
func (i *Image) PutConfig(config []byte) error {
	boot := i.layout.boot
	if err := i.extend(boot.offset + boot.size); err != nil {
		return fmt.Errorf("image %s: %w", i.name, err)
	}
	if int64(len(i.front)) < boot.offset+boot.size {
		return fmt.Errorf("image %s: it ends within its partition BOOT: it is cut off", i.name)
	}
	if err := putConfig(i.front[boot.offset:boot.offset+boot.size], config); err != nil {
		return fmt.Errorf("image %s: %w", i.name, err)
	}
	return nil
}
