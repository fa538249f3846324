package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/init/watchdog"
)

const (
	// softdogAfter is when the kernel's own watchdog is taken, if none of the hardware's works. It cannot help when the
	// kernel itself hangs.
	softdogAfter = 30 * time.Second
	// shutdownSlack is added to what a shutdown may take.
	shutdownSlack = 30 * time.Second
)

// dog restarts the machine when machined is no longer healthy, PID 1 hangs, or a shutdown does not come to its
// end.
type dog struct {
	health  *health
	load    func(modules ...string) error
	devices string // pattern of their names
	began   time.Time

	mu       sync.Mutex
	device   *os.File
	software bool      // device is the kernel's own
	wanted   int       // seconds, asked of the hardware, which may have less: a Raspberry Pi's 15 at most; 0: no watchdog
	timeout  int       // seconds, what the hardware has
	softdog  bool      // was tried
	broken   bool      // a device could not be opened, which was said
	hungry   bool      // was not fed the last time
	shutdown time.Time // when a shutdown must be over; zero while there is none
}

func newWatchdog(health *health, load func(modules ...string) error) *dog {
	return &dog{
		health: health, load: load, devices: watchdog.Devices, began: time.Now(),
		wanted: int(control.WatchdogDefault / time.Second),
	}
}

// takeOver goes on with the watchdog that stage 1 opened; 0: there is none.
func (w *dog) takeOver(fd int) {
	if fd == 0 {
		return
	}
	unix.CloseOnExec(fd)
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		kmsg.Error(component, "take the watchdog over: %v", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.use(os.NewFile(uintptr(fd), name))
	w.feed()
}

func (w *dog) run() {
	for {
		time.Sleep(w.turn(time.Now()))
	}
}

// turn does what is to be done now, and returns the time until the next turn.
func (w *dog) turn(now time.Time) time.Duration {
	if w.wantsSoftdog(now) {
		// Not while the lock is held: loading a module may hang, and a shutdown must begin all the same.
		if err := w.load("softdog"); err != nil {
			kmsg.Notice(component, "this machine has no working watchdog: %v", err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ready() {
		return watchdog.LongestFeed
	}
	if w.software && now.Sub(w.began) < softdogAfter {
		w.preferHardware()
	}
	hungry := !mayFeed(now, w.health.ok(), w.shutdown)
	if hungry != w.hungry {
		w.hungry = hungry
		if hungry {
			kmsg.Error(component, "%s: the watchdog restarts the machine in about %d s", w.complaint(), w.timeout)
		} else if w.shutdown.IsZero() {
			kmsg.Notice(component, "machined is healthy again, the watchdog is fed")
		}
	}
	if !hungry {
		w.feed()
	}
	return watchdog.FeedEvery(w.timeout)
}

// wantsSoftdog says once that it is time to load the kernel's own watchdog.
func (w *dog) wantsSoftdog(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.softdog || now.Sub(w.began) < softdogAfter || w.wanted == 0 || w.ready() {
		return false
	}
	w.softdog = true
	return true
}

// ready opens a watchdog, unless one is open or none is wanted, and reports whether one is open.
func (w *dog) ready() bool {
	if w.device != nil || w.wanted == 0 {
		return w.device != nil
	}
	err := w.open()
	if err != nil && !errors.Is(err, os.ErrNotExist) && !w.broken {
		w.broken = true
		kmsg.Notice(component, "this machine has no working watchdog: %v", err)
	}
	return err == nil
}

func (w *dog) complaint() string {
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

// open takes the first watchdog that can be opened.
func (w *dog) open() error {
	f, err := watchdog.Open(w.devices, "")
	if err != nil {
		return err
	}
	w.use(f)
	return nil
}

func (w *dog) use(f *os.File) {
	w.device = f
	w.software = watchdog.Identity(f) == watchdog.Software
	w.softdog = w.softdog || w.software
	w.applyTimeout()
}

// preferHardware changes from the kernel's own watchdog, which stage 1 takes when there is no other yet, to one whose
// driver is there by now.
func (w *dog) preferHardware() {
	f, err := watchdog.Open(w.devices, w.device.Name())
	if err != nil {
		return
	}
	old := w.device
	w.use(f)
	watchdog.Disarm(old)
}

func (w *dog) applyTimeout() {
	var err error
	if w.timeout, err = watchdog.SetTimeout(w.device, w.wanted); err != nil {
		kmsg.Info(component, "set the watchdog's timeout: %v", err) // It keeps its own.
	}
	kmsg.Info(component, "watchdog %s, %d s", watchdog.Identity(w.device), w.timeout)
}

// setTimeout is called when machined says which timeout in seconds the machine config wants; 0 turns the watchdog off.
func (w *dog) setTimeout(seconds int) {
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

func (w *dog) disarm() {
	watchdog.Disarm(w.device)
	w.device = nil
}

func (w *dog) feed() {
	if err := watchdog.Feed(w.device); err != nil {
		kmsg.Error(component, "feed the watchdog: %v", err)
	}
}

// beginShutdown gives the machine limit to go down.
func (w *dog) beginShutdown(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shutdown = time.Now().Add(limit + shutdownSlack)
}

// last is called right before the machine goes down. For a restart the watchdog stays armed, fed a last time. Most
// drivers stop it when reboot(2) begins (watchdog_stop_on_reboot in the kernel), and what hangs then is for resetAfter;
// with the others it also covers firmware and kernel until init opens it again. A machine that is switched off must not
// be woken by it.
func (w *dog) last(a action) {
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
