package main

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/init/modules"
	"github.com/coracle-os/coracle/init/watchdog"
)

// waitForWatchdog is how long a slot on trial waits for the driver of the hardware's watchdog, which is loading. An
// ordinary boot takes what is there, and the root's init changes to what comes.
const waitForWatchdog = 2 * time.Second

// dog is the watchdog that covers the way into the root: whatever hangs there, the machine starts again, and a slot on
// trial has had its turn.
type dog struct{ device *os.File } // nil: there is none

// arm opens a watchdog: the hardware's where there is one, else the kernel's own.
func arm(loader *modules.Loader, trial bool) dog {
	wait := time.Duration(0)
	if trial {
		wait = waitForWatchdog
	}
	f, err := awaitWatchdog(watchdog.Devices, wait)
	if errors.Is(err, os.ErrNotExist) {
		if err := loader.Load("softdog"); err != nil {
			kmsg.Notice(component, "no watchdog: %v", err)
			return dog{}
		}
		f, err = watchdog.Open(watchdog.Devices, "")
	}
	if err != nil {
		kmsg.Notice(component, "no watchdog: %v", err)
		return dog{}
	}
	seconds, err := watchdog.SetTimeout(f, int(control.WatchdogDefault/time.Second))
	if err != nil {
		kmsg.Info(component, "set the watchdog's timeout: %v", err)
	}
	kmsg.Info(component, "watchdog %s, %d s", watchdog.Identity(f), seconds)
	return dog{f}
}

// awaitWatchdog opens a watchdog that is there or appears in time.
func awaitWatchdog(pattern string, wait time.Duration) (*os.File, error) {
	for deadline := time.Now().Add(wait); ; time.Sleep(50 * time.Millisecond) {
		f, err := watchdog.Open(pattern, "")
		if err == nil || !errors.Is(err, os.ErrNotExist) || !time.Now().Before(deadline) {
			return f, err
		}
	}
}

// inherit lets the root's init have the watchdog, and returns its file descriptor. 0: there is none.
func (d dog) inherit() int {
	if d.device == nil {
		return 0
	}
	fd := d.device.Fd()
	if _, err := unix.FcntlInt(fd, unix.F_SETFD, 0); err != nil { // without FD_CLOEXEC
		kmsg.Notice(component, "pass the watchdog on: %v", err)
		return 0
	}
	watchdog.Feed(d.device) // the root's init has the whole timeout
	return int(fd)
}

func (d dog) causedReset() bool { return d.device != nil && watchdog.CausedReset(d.device) }
