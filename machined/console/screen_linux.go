package console

import (
	"context"
	"fmt"
	"os"
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
func Show(ctx context.Context, store *state.Store, beat func()) error {
	tty, err := os.OpenFile(terminal, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		waitBeating(ctx, beat)
		return nil
	}
	defer tty.Close()
	quiet(int(tty.Fd()))
	redirectErr := redirectKernel(int(tty.Fd()), 2)
	if _, err := tty.WriteString(prepare); err != nil {
		return fmt.Errorf("status screen on %s: %w", terminal, err)
	}
	shown := ""
	for {
		beat()
		m, changed := store.Get()
		if text := Render(m, time.Now(), true); text != shown {
			shown = text
			// From the top left; each line clears what is right of it, the end what is below. No flicker.
			tty.WriteString("\x1b[H" + strings.ReplaceAll(text, "\n", "\x1b[K\r\n") + "\x1b[J")
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

// waitBeating beats until ctx ends.
func waitBeating(ctx context.Context, beat func()) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		beat()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// quiet turns off the echo of keys that are pressed.
func quiet(fd int) {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return
	}
	t.Lflag &^= unix.ECHO | unix.ICANON
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
