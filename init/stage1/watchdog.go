package main

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/init/watchdog"
)

const (
	// mayTake is how long stage 1 may take before the watchdog is no longer fed. The disk has a minute to appear; the kernel
	// gives up on a command that a disk does not answer after three (six times 30 s), and then its reason is ours to tell.
	mayTake = waitForDisk + 4*time.Minute
	// lookForWatchdog is how often a watchdog is looked for while there is none.
	lookForWatchdog = 100 * time.Millisecond
	// waitForWatchdog is how long a slot on trial waits for the driver of the hardware's watchdog, which is loading. An
	// ordinary boot takes what is there, and the root's init changes to what comes.
	waitForWatchdog = 2 * time.Second
	// waitForSoftdog is how long the kernel's own watchdog may take to be opened once its module is loaded.
	waitForSoftdog = time.Second
)

// keeper arms and feeds the watchdog that covers the way into the root: whatever hangs there, the machine starts again, and
// a slot on trial has had its turn. What is slow but goes on is fed.
type keeper struct {
	devices string        // pattern of their names
	until   time.Time     // it is fed
	look    chan struct{} // wakes it, to look for a watchdog at once
	armed   chan struct{} // closed when one is open

	mu      sync.Mutex
	device  *os.File // nil: there is none yet
	timeout int      // seconds
	problem error    // that the last look had
	hungry  bool     // it is no longer fed
}

// dog lives as long as the program: a device that nothing refers to is closed.
var dog = newKeeper(watchdog.Devices)

func newKeeper(devices string) *keeper {
	return &keeper{devices: devices, until: time.Now().Add(mayTake), look: make(chan struct{}, 1), armed: make(chan struct{})}
}

func (k *keeper) run() {
	for {
		pause := k.turn(time.Now())
		select {
		case <-k.look:
		case <-time.After(pause):
		}
	}
}

// turn does what is to be done now, and returns the time until the next turn.
func (k *keeper) turn(now time.Time) time.Duration {
	k.mu.Lock()
	have := k.device != nil
	k.mu.Unlock()
	if !have {
		k.open() // without the lock: a driver may take its time, and stage 1 goes on without it
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.device == nil {
		return lookForWatchdog
	}
	if now.Before(k.until) && !k.hungry {
		k.feed()
	}
	return watchdog.FeedEvery(k.timeout)
}

// open looks for a watchdog. Only run calls it, as a device can be opened once only.
func (k *keeper) open() {
	f, err := watchdog.Open(k.devices, "")
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.problem = err; err != nil {
		return
	}
	k.device = f
	if k.timeout, err = watchdog.SetTimeout(f, int(control.WatchdogDefault/time.Second)); err != nil {
		kmsg.Info(component, "set the watchdog's timeout: %v", err) // It keeps its own.
	}
	kmsg.Info(component, "watchdog %s, %d s", watchdog.Identity(f), k.timeout)
	close(k.armed)
}

// feed is called with the lock held.
func (k *keeper) feed() {
	if err := watchdog.Feed(k.device); err != nil {
		kmsg.Notice(component, "feed the watchdog: %v", err)
	}
}

// cover sees to it that a watchdog is armed from here on: the hardware's, if it is there in time, else the kernel's
// own.
func (k *keeper) cover(load func(modules ...string) error, wait time.Duration) {
	if k.armedWithin(wait) {
		return
	}
	if err := load("softdog"); err != nil {
		kmsg.Notice(component, "no watchdog: %v", err)
		return
	}
	select {
	case k.look <- struct{}{}:
	default: // It looks already.
	}
	if !k.armedWithin(waitForSoftdog) {
		k.mu.Lock()
		defer k.mu.Unlock()
		kmsg.Notice(component, "no watchdog: %v", errors.Join(errors.New("it does not open in time"), k.problem))
	}
}

func (k *keeper) armedWithin(wait time.Duration) bool {
	select {
	case <-k.armed:
		return true
	case <-time.After(wait):
	}
	select { // When both had happened, which was taken is left to chance.
	case <-k.armed:
		return true
	default:
		return false
	}
}

// starve ends the feeding: the machine restarts in any case, be it by the watchdog.
func (k *keeper) starve() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hungry = true
}

// inherit lets the root's init have the watchdog, and returns its file descriptor. 0: there is none.
func (k *keeper) inherit() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.device == nil {
		return 0
	}
	fd := k.device.Fd()
	if _, err := unix.FcntlInt(fd, unix.F_SETFD, 0); err != nil { // without FD_CLOEXEC
		kmsg.Notice(component, "pass the watchdog on: %v", err)
		return 0
	}
	k.feed() // the root's init has the whole timeout
	return int(fd)
}

// causedReset is whether it says that it reset the machine before this boot.
func (k *keeper) causedReset() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.device != nil && watchdog.CausedReset(k.device)
}
