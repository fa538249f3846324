package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/tools/vm/qmp"
)

// Running returns the process ID of the QEMU that runs the machine in dir, or 0. QEMU holds a lock on its PID file as long
// as it lives, and the kernel says who holds it: a stale file or a reused ID cannot mislead.
func Running(dir string) (int, error) {
	f, err := os.OpenFile(filepath.Join(dir, pidName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for a running machine: %w", err)
	}
	defer f.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, fmt.Errorf("look for a running machine: %s: %w", f.Name(), err)
	}
	if lock.Type == unix.F_UNLCK {
		return 0, nil
	}
	return int(lock.Pid), nil
}

// ErrNotRunning is returned for a folder whose machine is switched off.
var ErrNotRunning = errors.New("no machine runs there")

// Attach connects to the machine that runs in dir, whoever started it.
func Attach(ctx context.Context, dir string) (*qmp.Client, error) {
	pid, err := Running(dir)
	if err != nil {
		return nil, err
	}
	if pid == 0 {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	return qmp.Dial(ctx, filepath.Join(dir, attachName), nil)
}

// SwitchOff presses the power button of the machine that runs in dir and waits until it is off. When ctx ends first, it is
// killed, and graceful is false.
func SwitchOff(ctx context.Context, dir string) (graceful bool, err error) {
	pid, err := Running(dir)
	if err != nil {
		return false, err
	}
	if pid == 0 {
		return false, fmt.Errorf("%s: %w", dir, ErrNotRunning)
	}
	// A descriptor, so that a process which takes over the ID is never the one that is killed.
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false, fmt.Errorf("open QEMU's process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	button := pressPowerButton(ctx, dir)
	if button == nil && waitExit(ctx, fd) {
		return true, nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return false, errors.Join(button, fmt.Errorf("kill QEMU's process %d: %w", pid, err))
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if !waitExit(last, fd) {
		return false, fmt.Errorf("QEMU's process %d does not end", pid)
	}
	return false, button
}

func pressPowerButton(ctx context.Context, dir string) error {
	c, err := qmp.Dial(ctx, filepath.Join(dir, attachName), nil)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.PowerButton(ctx)
}

// waitExit waits until the process of a pidfd has ended, or ctx.
func waitExit(ctx context.Context, pidfd int) bool {
	for ctx.Err() == nil {
		// A pidfd is readable once its process has ended.
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 100)
		if err == nil && n > 0 {
			return true
		}
	}
	return false
}
