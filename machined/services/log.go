package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	logKeep  = 1 << 20   // bytes of log that are kept
	logSlack = 256 << 10 // and this much more before the start is given back
	logBlock = 4096      // a page of tmpfs; holes are whole pages
)

// Log is a file in tmpfs that kube appends to. It stays small without the writer's help: what is older than the last
// logKeep bytes is made a hole. Offsets never move and no line is lost, as both would be when a file that is written to
// is copied and truncated.
type Log struct{ Path string }

// OpenForWriting opens the file for kube, at its end. The file and its folder are made.
func (l Log) OpenForWriting() (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(l.Path), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(l.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|unix.O_CLOEXEC, 0o600)
}

// Size is the offset of the next byte to be written. 0 when there is no log yet.
func (l Log) Size() int64 {
	info, err := os.Stat(l.Path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Trim gives back what is older than the last logKeep bytes.
func (l Log) Trim() error {
	if l.Size() < logKeep+logSlack {
		return nil
	}
	f, err := os.OpenFile(l.Path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	end := start(l.Size()) / logBlock * logBlock
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, end); err != nil {
		return fmt.Errorf("trim %s: %w", l.Path, err)
	}
	return nil
}

// start is the offset of the oldest byte that is kept in a log of that size.
func start(size int64) int64 { return max(0, size-logKeep) }

// Tail returns at most n bytes, the last of those after offset from.
func (l Log) Tail(from, n int64) []byte {
	f, err := os.Open(l.Path)
	if err != nil {
		return nil
	}
	defer f.Close()
	size := l.Size()
	from = max(from, size-n, start(size))
	b, _ := io.ReadAll(io.NewSectionReader(f, from, size-from))
	return b
}

// followEvery is how often a followed log is looked at.
const followEvery = 250 * time.Millisecond

// Copy writes the log from offset from on to w; with follow, until ctx ends, what is added too. A reader that is too
// slow is told how much it missed.
func (l Log) Copy(ctx context.Context, w io.Writer, from int64, follow bool) error {
	f, err := os.Open(l.Path)
	if errors.Is(err, os.ErrNotExist) && follow {
		f, err = l.OpenForWriting() // makes it
		if err == nil {
			f.Close()
			f, err = os.Open(l.Path)
		}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	buffer := make([]byte, 32<<10)
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		if oldest := start(l.Size()); from < oldest {
			if from > 0 {
				fmt.Fprintf(w, "… %d bytes of log were skipped\n", oldest-from)
			}
			from = oldest
		}
		n, err := f.ReadAt(buffer, from)
		from += int64(n)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
