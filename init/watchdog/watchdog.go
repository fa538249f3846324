// Package watchdog is the kernel's interface to watchdogs (Documentation/watchdog/watchdog-api.rst). One that is open resets
// the machine unless it is fed in time, also when the process that has it is gone.
package watchdog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Devices is the pattern of the kernel's names of them. /dev/watchdog is a second name of the first.
const Devices = "/dev/watchdog[0-9]*"

// Software is the identity of the kernel's own watchdog, softdog. It cannot help when the kernel itself hangs.
const Software = "Software Watchdog"

// LongestFeed is the longest time between two feedings.
const LongestFeed = 5 * time.Second

// FeedEvery is the time between two feedings of a watchdog with a timeout in seconds.
func FeedEvery(timeout int) time.Duration {
	return min(LongestFeed, time.Duration(timeout)*time.Second/3)
}

// Open opens, and so arms, the first that can be opened, of those whose names match the pattern; not the one named except.
// The error is that of the first; os.ErrNotExist: there is none.
func Open(pattern, except string) (*os.File, error) {
	names, _ := filepath.Glob(pattern)
	var problem error
	for _, name := range names {
		if name == except {
			continue
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err == nil {
			return f, nil
		}
		if problem == nil {
			problem = err
		}
	}
	if problem == nil {
		problem = fmt.Errorf("no watchdog like %s: %w", pattern, os.ErrNotExist)
	}
	return nil, problem
}

// SetTimeout asks for a timeout in seconds and returns what the hardware has, which may be less. With an error it
// keeps its own.
func SetTimeout(f *os.File, seconds int) (int, error) {
	err := unix.IoctlSetPointerInt(int(f.Fd()), unix.WDIOC_SETTIMEOUT, seconds)
	if n, e := unix.IoctlGetInt(int(f.Fd()), unix.WDIOC_GETTIMEOUT); e == nil && n > 0 {
		seconds = n
	}
	return seconds, err
}

// Feed puts the reset off for another timeout.
func Feed(f *os.File) error {
	_, err := f.Write([]byte{0})
	return err
}

// Disarm stops it: that is what the letter V means to a driver, followed by a close.
func Disarm(f *os.File) {
	f.Write([]byte("V"))
	f.Close()
}

// Identity is what the driver calls it; empty: not known.
func Identity(f *os.File) string {
	b, _ := os.ReadFile(filepath.Join("/sys/class/watchdog", filepath.Base(f.Name()), "identity"))
	return strings.TrimSpace(string(b))
}

// CausedReset is whether the machine was started the last time because this watchdog was not fed. Not all drivers know.
func CausedReset(f *os.File) bool {
	const cardReset = 0x0020 // WDIOF_CARDRESET of linux/watchdog.h
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.WDIOC_GETBOOTSTATUS)
	return err == nil && n&cardReset != 0
}
