package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newTestKeeper has its devices in a folder.
func newTestKeeper(t *testing.T) (k *keeper, device string) {
	t.Helper()
	dir := t.TempDir()
	k = newKeeper(filepath.Join(dir, "watchdog[0-9]*"))
	t.Cleanup(func() { k.device.Close() })
	return k, filepath.Join(dir, "watchdog0")
}

func plug(t *testing.T, device string) {
	t.Helper()
	if err := os.WriteFile(device, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func fed(t *testing.T, device string) int {
	t.Helper()
	b, err := os.ReadFile(device)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "\x00")
}

// While stage 1 goes on the watchdog is fed, however slow a disk is, but not for ever.
func TestKeeperFeeds(t *testing.T) {
	k, device := newTestKeeper(t)
	start := k.until.Add(-mayTake)
	if pause := k.turn(start); pause != lookForWatchdog || k.inherit() != 0 {
		t.Errorf("without a watchdog: looks again after %v, and has one", pause)
	}
	plug(t, device) // its driver was loaded
	for i, c := range []struct {
		after time.Duration
		fed   int // from then on
	}{
		{time.Second, 1},
		{waitForDisk, 2},
		{mayTake - time.Second, 3},
		{mayTake, 3},
		{time.Hour, 3},
	} {
		if pause := k.turn(start.Add(c.after)); pause != 5*time.Second {
			t.Errorf("feeds again after %v, want 5 s", pause)
		}
		if got := fed(t, device); got != c.fed {
			t.Errorf("turn %d, after %v: fed %d times, want %d", i, c.after, got, c.fed)
		}
	}
}

func TestKeeperStarves(t *testing.T) {
	k, device := newTestKeeper(t)
	plug(t, device)
	k.turn(time.Now())
	k.starve()
	k.turn(time.Now())
	if got := fed(t, device); got != 1 {
		t.Errorf("fed %d times, want once, before it was to starve", got)
	}
}

func TestCover(t *testing.T) {
	for _, c := range []struct {
		name   string
		before bool          // the hardware's is there before
		broken bool          // it cannot be opened
		during time.Duration // the hardware's comes after this; 0: it does not
		wait   time.Duration
		loaded []string
		error  error // of loading
		armed  bool
	}{
		{name: "the hardware has one", before: true, wait: time.Minute, armed: true},
		{name: "the hardware's comes while a trial waits", during: time.Millisecond, wait: time.Minute, armed: true},
		{name: "the hardware has none", loaded: []string{"softdog"}, armed: true},
		{name: "the hardware's cannot be opened", broken: true, loaded: []string{"softdog"}, armed: true},
		{name: "there is none at all", loaded: []string{"softdog"}, error: errors.New("no such module")},
	} {
		k, device := newTestKeeper(t)
		if c.before {
			plug(t, device)
			k.turn(time.Now())
		}
		if c.broken {
			if err := os.Mkdir(device, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if c.during > 0 {
			time.AfterFunc(c.during, func() { os.WriteFile(device, nil, 0o600) })
		}
		go k.run()
		var loaded []string
		k.cover(func(modules ...string) error {
			loaded = append(loaded, modules...)
			if c.error == nil {
				plug(t, strings.Replace(device, "watchdog0", "watchdog1", 1))
			}
			return c.error
		}, c.wait)
		if !slices.Equal(loaded, c.loaded) || k.armedWithin(0) != c.armed {
			t.Errorf("%s: loaded %q, armed %v; want %q, %v", c.name, loaded, k.armedWithin(0), c.loaded, c.armed)
		}
	}
}

// The root's init gets the device across exec, with its whole timeout left.
func TestInherit(t *testing.T) {
	k, device := newTestKeeper(t)
	plug(t, device)
	k.turn(time.Now())
	fd := k.inherit()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC != 0 {
		t.Errorf("file descriptor %d has flags %#x, %v: it would be closed by exec", fd, flags, err)
	}
	if got := fed(t, device); got != 2 {
		t.Errorf("fed %d times, want twice: the last time when it is passed on", got)
	}
	if k.causedReset() {
		t.Error("a file has reset the machine")
	}
}
