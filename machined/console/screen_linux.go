package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/machined/state"
)

const (
	terminal = "/dev/tty1"

	// redrawEvery is how often the screen is drawn at most; clockEvery, how often for the clock alone.
	redrawEvery = time.Second
	clockEvery  = 15 * time.Second

	// Clear; no cursor; no blanking, no power saving (console_codes(4)).
	prepare = "\x1b[2J\x1b[?25l\x1b[9;0]\x1b[14;0]"
)

// Show keeps the screen up to date until ctx ends. A machine without virtual terminals has none: no error.
//
// It never blocks: whoever is at the keyboard can stop the terminal (Scroll Lock).
func Show(ctx context.Context, store *state.Store) error {
	fd, err := unix.Open(terminal, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	quiet(fd)
	redirectErr := redirectKernel(fd, 2)
	out := frames{fd: fd, head: prepare}
	for {
		m, changed := store.Get()
		if err := out.draw(Render(m, time.Now(), true)); err != nil {
			return fmt.Errorf("status screen on %s: %w", terminal, err)
		}
		select {
		case <-ctx.Done():
			return redirectErr
		case <-changed:
		case <-time.After(clockEvery):
		}
		select {
		case <-ctx.Done():
			return redirectErr
		case <-time.After(redrawEvery):
		}
	}
}

// frames draws on a terminal that is open without blocking.
type frames struct {
	fd    int
	head  string // goes before the first frame
	shown string // empty: nothing, or a part of a frame
}

// draw shows text. A frame that the terminal does not take whole, because it is stopped, is dropped: the next one
// starts from the top left again.
func (f *frames) draw(text string) error {
	if text == f.shown {
		return nil
	}
	f.shown = ""
	// Each line clears what is right of it, the end what is below. No flicker.
	frame := f.head + "\x1b[H" + strings.ReplaceAll(text, "\n", "\x1b[K\r\n") + "\x1b[J"
	n, err := unix.Write(f.fd, []byte(frame))
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return err
	case n == len(frame):
		f.head, f.shown = "", text
	}
	return nil
}

// quiet turns off the echo of keys that are pressed, and that Ctrl-S stops the terminal.
func quiet(fd int) {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return
	}
	t.Lflag &^= unix.ECHO | unix.ICANON
	t.Iflag &^= unix.IXON
	unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// redirectKernel sends the kernel's messages to virtual terminal n instead of the one that is shown
// (ioctl_console(2): TIOCLINUX, subcode TIOCL_SETKMSGREDIRECT).
func redirectKernel(fd, n int) error {
	const setKmsgRedirect = 11
	request := [2]byte{setKmsgRedirect, byte(n)}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCLINUX, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return fmt.Errorf("send kernel messages to tty%d: %w", n, errno)
	}
	return nil
}
