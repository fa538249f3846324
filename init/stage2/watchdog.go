package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/init/modules"
)

const (
	watchdogDevice = "/dev/watchdog0"
	// softdogAfter is when the kernel's own watchdog is taken, if no hardware's has appeared. It cannot help when the
	// kernel itself hangs.
	softdogAfter = 30 * time.Second
	// longestFeed is the longest time between two feedings.
	longestFeed = 5 * time.Second
	// shutdownSlack is added to what a shutdown may take.
	shutdownSlack = 30 * time.Second
)

// watchdog restarts the machine when machined is no longer healthy, PID 1 hangs, or a shutdown does not come to its
// end.
type watchdog struct {
	health *health
	loader *modules.Loader
	began  time.Time

	mu       sync.Mutex
	device   *os.File
	wanted   int // seconds, asked of the hardware, which may have less: a Raspberry Pi's 15 at most; 0: no watchdog
	timeout  int // seconds, what the hardware has
	softdog  bool
	hungry   bool      // was not fed the last time
	shutdown time.Time // when a shutdown must be over; zero while there is none
}

func newWatchdog(health *health, loader *modules.Loader) *watchdog {
	return &watchdog{health: health, loader: loader, began: time.Now(), wanted: int(control.WatchdogDefault / time.Second)}
}

func (w *watchdog) run() {
	for {
		time.Sleep(w.turn(time.Now()))
	}
}

// turn does what is to be done now, and returns the time until the next turn.
func (w *watchdog) turn(now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wanted == 0 {
		return longestFeed
	}
	if w.device == nil {
		if err := w.open(); errors.Is(err, os.ErrNotExist) && !w.softdog && now.Sub(w.began) >= softdogAfter {
			w.softdog = true
			if err := w.loader.Load("softdog"); err != nil {
				kmsg.Notice(component, "this machine has no watchdog: %v", err)
			}
			return 0
		} else if err != nil {
			return longestFeed
		}
	}
	hungry := !mayFeed(now, w.health.ok(), w.shutdown)
	if hungry != w.hungry {
		w.hungry = hungry
		if hungry {
			kmsg.Error(component, "%s: the watchdog restarts the machine in about %d s", w.complaint(), w.timeout)
		} else {
			kmsg.Notice(component, "machined is healthy again, the watchdog is fed")
		}
	}
	if !hungry {
		w.feed()
	}
	return feedEvery(w.timeout)
}

func (w *watchdog) complaint() string {
	if !w.shutdown.IsZero() {
		return "the shutdown takes too long"
	}
	return fmt.Sprintf("machined has not said in time that it is healthy (%v after a start, then every %v at most)",
		startGrace, healthyFor)
}

// mayFeed decides. In a shutdown machined's health no longer matters, and time does.
func mayFeed(now time.Time, healthy bool, shutdown time.Time) bool {
	if !shutdown.IsZero() {
		return now.Before(shutdown)
	}
	return healthy
}

// feedEvery is the time between two feedings of a watchdog with a timeout in seconds.
func feedEvery(timeout int) time.Duration {
	return min(longestFeed, time.Duration(timeout)*time.Second/3)
}

func (w *watchdog) open() error {
	f, err := os.OpenFile(watchdogDevice, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	w.device = f
	w.applyTimeout()
	return nil
}

func (w *watchdog) applyTimeout() {
	fd := int(w.device.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.WDIOC_SETTIMEOUT, w.wanted); err != nil {
		kmsg.Info(component, "set the watchdog's timeout: %v", err) // It keeps its own.
	}
	w.timeout = w.wanted
	if n, err := unix.IoctlGetInt(fd, unix.WDIOC_GETTIMEOUT); err == nil && n > 0 {
		w.timeout = n
	}
	name, _ := os.ReadFile("/sys/class/watchdog/watchdog0/identity")
	kmsg.Info(component, "watchdog %s, %d s", strings.TrimSpace(string(name)), w.timeout)
}

// setTimeout is called when machined says which timeout in seconds the machine config wants; 0 turns the watchdog off.
func (w *watchdog) setTimeout(seconds int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if seconds == w.wanted {
		return
	}
	w.wanted = seconds
	switch {
	case w.device == nil:
	case seconds == 0:
		w.disarm()
		kmsg.Notice(component, "the watchdog is off, as the machine config says")
	default:
		w.applyTimeout()
	}
}

// disarm stops the device: that is what the letter V means to the driver, followed by a close.
func (w *watchdog) disarm() {
	w.device.Write([]byte("V"))
	w.device.Close()
	w.device = nil
}

func (w *watchdog) feed() {
	if _, err := w.device.Write([]byte{0}); err != nil {
		kmsg.Error(component, "feed the watchdog: %v", err)
	}
}

// beginShutdown gives the machine limit to go down.
func (w *watchdog) beginShutdown(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shutdown = time.Now().Add(limit + shutdownSlack)
}

// last is called right before the machine goes down. For a restart the watchdog stays armed, fed a last time: it covers
// what firmware and kernel do until init opens it again. A machine that is switched off must not be woken by it.
func (w *watchdog) last(a action) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.device == nil {
		return
	}
	if a == powerOff {
		w.disarm()
		w.wanted = 0 // no other is opened
		return
	}
	w.feed()
}
