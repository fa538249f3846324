package logs

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// device is the kernel's log.
const device = "/dev/kmsg"

// Reader reads the kernel's log as it grows, the lines of the kernel or those of Coracle's own programs.
type Reader struct {
	fd     int
	wanted func(record) bool
}

// Kernel opens the kernel's lines.
func Kernel() (*Reader, error) { return open(func(r record) bool { return !r.ours() }) }

// Own opens the lines of machined and init.
func Own() (*Reader, error) { return open(record.ours) }

func open(wanted func(record) bool) (*Reader, error) {
	fd, err := unix.Open(device, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", device, err)
	}
	return &Reader{fd, wanted}, nil
}

// Next writes the lines that were added since the last call, those that the kernel still has at first.
func (r *Reader) Next(w io.Writer) error {
	lines, err := drain(r.fd, r.wanted)
	if len(lines) > 0 {
		_, writeErr := w.Write(lines)
		err = errors.Join(err, writeErr)
	}
	return err
}

// Close gives up the device.
func (r *Reader) Close() error { return unix.Close(r.fd) }

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
