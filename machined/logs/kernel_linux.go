package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// device is the kernel's log.
const device = "/dev/kmsg"

// followEvery is how often a followed log is looked at.
const followEvery = 250 * time.Millisecond

// Kernel writes the kernel's lines to w: at most tail bytes of those there are (0: all), then, with follow, new ones
// until ctx ends.
func Kernel(ctx context.Context, w io.Writer, tail int64, follow bool) error {
	return copyRecords(ctx, w, tail, follow, func(r record) bool { return !r.ours() })
}

// Own does the same with the lines of machined and init.
func Own(ctx context.Context, w io.Writer, tail int64, follow bool) error {
	return copyRecords(ctx, w, tail, follow, record.ours)
}

func copyRecords(ctx context.Context, w io.Writer, tail int64, follow bool, wanted func(record) bool) error {
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", device, err)
	}
	defer unix.Close(fd)
	have, err := drain(fd, wanted)
	if err != nil {
		return err
	}
	if _, err := w.Write(last(have, tail)); err != nil || !follow {
		return err
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		more, err := drain(fd, wanted)
		if err != nil {
			return err
		}
		if len(more) == 0 {
			continue
		}
		if _, err := w.Write(more); err != nil {
			return err
		}
	}
}

// drain reads what is there now.
func drain(fd int, wanted func(record) bool) ([]byte, error) {
	var out []byte
	buffer := make([]byte, 8<<10) // more than a record can be (CONSOLE_EXT_LOG_MAX)
	for {
		n, err := unix.Read(fd, buffer)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return out, nil
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR): // records were overwritten; the next read goes on after them
			continue
		case err != nil:
			return out, fmt.Errorf("read %s: %w", device, err)
		case n == 0:
			return out, nil
		}
		if r, ok := parseRecord(string(buffer[:n])); ok && wanted(r) {
			out = append(out, r.String()...)
		}
	}
}

// last is at most n bytes of b from its end, whole lines; 0: all.
func last(b []byte, n int64) []byte {
	if n <= 0 || int64(len(b)) <= n {
		return b
	}
	b = b[int64(len(b))-n:]
	for i, c := range b {
		if c == '\n' {
			return b[i+1:]
		}
	}
	return b
}
