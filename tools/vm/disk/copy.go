// Package disk prepares what a virtual machine boots from: a copy of an image grown to the size of a real disk, a machine
// config on its BOOT partition, a volume of container images. Everything is plain files; no root, no mount.
package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// chunk is what is read at once, and the grain of holes, in bytes.
const chunk = 1 << 20

// Copy writes image to path as a sparse file of size bytes, or of the image's own size when size is 0. An existing file is
// replaced. A copy, and not an overlay over the image, so that tests can read and alter its bytes with any tool, and so
// that a rebuilt image cannot pull the ground from under a running machine.
func Copy(path, image string, size int64) (err error) {
	in, err := os.Open(image)
	if err != nil {
		return fmt.Errorf("open disk image: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("open disk image: %w", err)
	}
	if size == 0 {
		size = info.Size()
	}
	if size < info.Size() {
		return fmt.Errorf("%s has %d bytes: more than the disk of %d bytes that it should go on", image, info.Size(), size)
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("create disk: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := copySparse(out, in); err != nil {
		return fmt.Errorf("copy %s to %s: %w", image, path, err)
	}
	if err := out.Truncate(size); err != nil {
		return fmt.Errorf("grow %s to %d bytes: %w", path, size, err)
	}
	return nil
}

// Empty makes a disk of size bytes with nothing on it.
func Empty(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("create disk: %w", err)
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// copySparse copies r to an empty file and leaves holes where r has zeros.
func copySparse(w io.WriterAt, r io.Reader) error {
	buf, zeros := make([]byte, chunk), make([]byte, chunk)
	for at := int64(0); ; {
		n, err := io.ReadFull(r, buf)
		if n > 0 && !bytes.Equal(buf[:n], zeros[:n]) {
			if _, err := w.WriteAt(buf[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// FlipBit inverts the lowest bit of the byte at offset, as failing flash does.
func FlipBit(path string, offset int64) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, offset); err != nil {
		return fmt.Errorf("read byte %d of %s: %w", offset, path, err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, offset); err != nil {
		return fmt.Errorf("write byte %d of %s: %w", offset, path, err)
	}
	return nil
}
