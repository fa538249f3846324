package flash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// chunk is how much is written at a time, in bytes. A buffer of this size starts at a page, which uncached reading needs.
const chunk = 4 * mib

// Target is what an image is written to.
type Target interface {
	io.WriterAt
	io.ReaderAt
	Sync() error // what was written is on the disk
	// Uncache makes reads come from the disk rather than from what the system remembers.
	Uncache() error
	Close() error
}

// Progress is told how far it is: phase is "write" or "verify", done bytes of about total.
type Progress func(phase string, done, total int64)

// Write writes the image and reads it back. The first MiB, which has the partition table, is written last: a disk that
// was not written to its end is no machine's. It returns how many bytes the image has.
func Write(ctx context.Context, i *Image, t Target, progress Progress) (int64, error) {
	total := i.layout.end + mib // the backup of the partition table is behind the last partition
	head := i.front[:headSize]
	if _, err := t.WriteAt(make([]byte, headSize), 0); err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	whole := sha256.New()
	whole.Write(head)
	size := int64(headSize)
	from := io.MultiReader(bytes.NewReader(i.front[headSize:]), i.rest)
	buffer := make([]byte, chunk)
	for {
		if err := ctx.Err(); err != nil {
			return size, err
		}
		n, err := fill(from, buffer)
		end := err == io.EOF
		switch {
		case err != nil && !end:
			return size, fmt.Errorf("read the image %s: %w; it is damaged or cut off: get it again", i.name, err)
		case n%sectorSize != 0:
			return size, fmt.Errorf("the image %s ends in the middle of a sector: it is cut off", i.name)
		}
		if n > 0 {
			if _, err := t.WriteAt(buffer[:n], size); err != nil {
				return size, fmt.Errorf("write at %d: %w", size, err)
			}
			whole.Write(buffer[:n])
			size += int64(n)
			progress("write", size, max(total, size))
		}
		if end {
			break
		}
	}
	if size < i.layout.end {
		return size, fmt.Errorf("the image %s ends at %d, its partitions at %d: it is cut off", i.name, size, i.layout.end)
	}
	// Both syncs count: with one of them only, the table could be there before what it tells of.
	if err := t.Sync(); err != nil {
		return size, fmt.Errorf("write: %w", err)
	}
	if _, err := t.WriteAt(head, 0); err != nil {
		return size, fmt.Errorf("write the partition table: %w", err)
	}
	if err := t.Sync(); err != nil {
		return size, fmt.Errorf("write: %w", err)
	}
	return size, verify(ctx, t, size, [sha256.Size]byte(whole.Sum(nil)), progress)
}

// fill is io.ReadFull, but for the end: it is io.EOF, and io.ErrUnexpectedEOF is what r says of compressed data that
// ends too early.
func fill(r io.Reader, buffer []byte) (n int, err error) {
	for n < len(buffer) && err == nil {
		var more int
		more, err = r.Read(buffer[n:])
		n += more
	}
	return n, err
}

// ErrDiffers is that a disk does not give back what was written to it.
var ErrDiffers = errors.New("what was read back is not what was written: the disk is damaged, or smaller than it says")

func verify(ctx context.Context, t Target, size int64, want [sha256.Size]byte, progress Progress) error {
	if err := t.Uncache(); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	whole := sha256.New()
	buffer := make([]byte, chunk)
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(chunk, size-at)
		if _, err := t.ReadAt(buffer[:n], at); err != nil && !(errors.Is(err, io.EOF) && at+n == size) {
			return fmt.Errorf("read back at %d: %w", at, err)
		}
		whole.Write(buffer[:n])
		at += n
		progress("verify", at, size)
	}
	if [sha256.Size]byte(whole.Sum(nil)) != want {
		return ErrDiffers
	}
	return nil
}
