package main

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMayFeed(t *testing.T) {
	now := time.Unix(1000, 0)
	for name, test := range map[string]struct {
		healthy  bool
		shutdown time.Time
		want     bool
	}{
		"healthy":                  {true, time.Time{}, true},
		"not healthy":              {false, time.Time{}, false},
		"shutting down":            {false, now.Add(time.Second), true},
		"shutdown takes too long":  {true, now, false},
		"shutdown took far longer": {true, now.Add(-time.Hour), false},
	} {
		if got := mayFeed(now, test.healthy, test.shutdown); got != test.want {
			t.Errorf("%s: mayFeed = %v, want %v", name, got, test.want)
		}
	}
}

// TestLast: what the driver is told last decides whether the watchdog bites a machine that is switched off.
func TestLast(t *testing.T) {
	for action, want := range map[action]string{restart: "\x00", powerOff: "V"} {
		f, err := os.Create(t.TempDir() + "/watchdog")
		if err != nil {
			t.Fatal(err)
		}
		w := newWatchdog(newHealth(time.Now), nil)
		w.device = f
		w.last(action)
		if got, _ := os.ReadFile(f.Name()); string(got) != want {
			t.Errorf("%v: wrote %q, want %q", action, got, want)
		}
	}
	newWatchdog(nil, nil).last(powerOff) // Without a device.
}

// TestSoftdog: a hardware watchdog that cannot be opened is replaced by the kernel's own, once it had its time, and without
// keeping a shutdown from beginning.
func TestSoftdog(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/watchdog0", 0o755); err != nil { // Cannot be opened to be written to.
		t.Fatal(err)
	}
	var loaded []string
	var w *dog
	w = newWatchdog(newHealth(time.Now), func(modules ...string) error {
		loaded = append(loaded, modules...)
		if !w.mu.TryLock() {
			t.Error("the lock is held while a module is loaded")
		} else {
			w.mu.Unlock()
		}
		return errors.New("no such module")
	})
	w.devices = dir + "/watchdog[0-9]*"
	w.turn(w.began.Add(softdogAfter - time.Second))
	if loaded != nil || !w.broken {
		t.Errorf("loaded %q after 29 s, said that the device is broken: %v", loaded, w.broken)
	}
	w.turn(w.began.Add(softdogAfter))
	w.turn(w.began.Add(2 * softdogAfter))
	if !slices.Equal(loaded, []string{"softdog"}) {
		t.Errorf("loaded %q, want softdog once", loaded)
	}
	if err := os.WriteFile(dir+"/watchdog1", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	w.turn(w.began.Add(3 * softdogAfter))
	if got, _ := os.ReadFile(dir + "/watchdog1"); string(got) != "\x00" {
		t.Errorf("wrote %q to the watchdog that works, want it fed", got)
	}
}

// TestWatchdogOff: a watchdog that the config turns off is stopped, not starved, and is not opened again.
func TestWatchdogOff(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/watchdog")
	if err != nil {
		t.Fatal(err)
	}
	w := newWatchdog(newHealth(time.Now), nil)
	w.device = f
	w.setTimeout(0)
	if got, _ := os.ReadFile(f.Name()); string(got) != "V" || w.device != nil {
		t.Errorf("wrote %q, device %v: want V and none", got, w.device)
	}
	if w.turn(time.Now().Add(time.Hour)); w.device != nil || w.softdog {
		t.Error("a watchdog was taken again")
	}
}

// What stage 1 took is gone on with, and left for the hardware's when that comes.
func TestTakeOver(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(dir + "/watchdog0")
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	w := newWatchdog(newHealth(time.Now), nil)
	w.devices = dir + "/watchdog[0-9]*"
	w.takeOver(0)
	if w.device != nil {
		t.Error("took over what is not there")
	}
	w.takeOver(fd)
	if got, _ := os.ReadFile(f.Name()); string(got) != "\x00" || w.device.Name() != f.Name() {
		t.Errorf("wrote %q to %s, want it fed", got, w.device.Name())
	}
	w.software = true // as its identity would say
	if err := os.WriteFile(dir+"/watchdog1", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	w.turn(w.began.Add(time.Second))
	first, _ := os.ReadFile(dir + "/watchdog0")
	second, _ := os.ReadFile(dir + "/watchdog1")
	if string(first) != "\x00V" || string(second) != "\x00" {
		t.Errorf("the kernel's own got %q, the hardware's %q: want it stopped, and that fed", first, second)
	}
}
