package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSequence(t *testing.T) {
	steps := sequence(nil)
	var names []string
	for _, s := range steps {
		names = append(names, s.name)
		if s.limit <= 0 || s.do == nil {
			t.Errorf("step %q has no limit or does nothing", s.name)
		}
	}
	order := []string{"stop the pods and machined", "kill the processes that are left", "write to the disks", "unmount"}
	last := -1
	for _, name := range order {
		i := slices.Index(names, name)
		if i <= last {
			t.Errorf("step %q is at %d, after %d: order %q", name, i, last, names)
		}
		last = i
	}
	if rest := longest(steps) - machinedDeadline; rest > 120*time.Second {
		t.Errorf("after machined's deadline a shutdown can take %v, want 2 minutes at most", rest)
	}
}

func TestStep(t *testing.T) {
	began := time.Now()
	step{"hang", 20 * time.Millisecond, func() error { select {} }}.run()
	step{"panic", time.Minute, func() error { panic("defect") }}.run()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("steps that hang and panic took %v", took)
	}
}

func TestMounts(t *testing.T) {
	seen := make(map[string]bool)
	for _, m := range mounts {
		if seen[m.target] {
			t.Errorf("%s is mounted twice", m.target)
		}
		seen[m.target] = true
	}
	if slices.IndexFunc(mounts, func(m mount) bool { return m.target == cgroupRoot && m.kind == "cgroup2" }) < 0 {
		t.Error("cgroups are not mounted")
	}
}

const mountinfo = `22 1 254:1 / / ro,relatime shared:1 - squashfs /dev/root ro
23 22 0:22 / /proc rw,nosuid shared:5 - proc proc rw
24 22 0:23 / /sys rw shared:6 - sysfs sysfs rw
25 24 0:25 / /sys/fs/cgroup rw shared:7 - cgroup2 cgroup2 rw
26 22 0:5 / /dev rw shared:2 - devtmpfs devtmpfs rw
27 22 0:24 / /run rw shared:8 - tmpfs tmpfs rw
28 22 253:4 / /var rw,noatime shared:9 - ext4 /dev/vda4 rw
29 28 0:40 / /var/lib/my\040pod rw - nfs4 server:/x rw
30 27 0:50 / /run/netns/a rw shared:10 master:1 - nsfs nsfs rw
31 22 0:60 / /devices rw - tmpfs tmpfs rw
broken line
32 22 0:1
`

func TestToUnmount(t *testing.T) {
	var got []string
	for _, m := range toUnmount(mountinfo) {
		got = append(got, m.target+" "+m.kind+" "+m.source)
	}
	want := []string{
		"/devices tmpfs tmpfs", "/run/netns/a nsfs nsfs", "/var/lib/my pod nfs4 server:/x", "/var ext4 /dev/vda4",
	}
	if !slices.Equal(got, want) {
		t.Errorf("toUnmount = %q, want %q", got, want)
	}
}

func FuzzToUnmount(f *testing.F) {
	f.Add(mountinfo)
	f.Add(`1 1 0:1 / /a\04 - x \134`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range toUnmount(text) {
			if m.target == "/" || m.target == "/proc" || strings.HasPrefix(m.target, "/sys/") {
				t.Errorf("%q must stay mounted", m.target)
			}
		}
	})
}

// TestPatience: an unmount that hangs does not keep the others waiting, is not tried a second time, and is noticed when it
// comes back after all.
func TestPatience(t *testing.T) {
	p := newPatience()
	p.limit = 20 * time.Millisecond
	dead := make(chan struct{})
	hang := func() error { <-dead; return nil }
	if err := p.try("/dead", hang); !errors.Is(err, errHangs) {
		t.Errorf("a call that hangs: %v", err)
	}
	if err := p.try("/dead", func() error { panic("a second call") }); !errors.Is(err, errHangs) {
		t.Errorf("a mount whose call hangs: %v", err)
	}
	p.limit = time.Minute
	if err := p.try("/alive", func() error { return unix.EBUSY }); err != unix.EBUSY {
		t.Errorf("another mount: %v, want EBUSY", err)
	}
	if got := p.hanging(); !slices.Equal(got, []string{"/dead"}) {
		t.Errorf("hanging: %q, want /dead", got)
	}
	close(dead)
	for deadline := time.Now().Add(10 * time.Second); len(p.hanging()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a call that came back still counts as hanging")
		}
	}
	if err := p.try("/dead", func() error { return nil }); err != nil {
		t.Errorf("tried again: %v", err)
	}
	if err := p.try("/broken", func() error { panic("defect") }); err == nil || errors.Is(err, errHangs) {
		t.Errorf("a call that panics: %v", err)
	}
}

func TestSwapsOnDisk(t *testing.T) {
	swaps := "Filename\tType\tSize\n/dev/zram0 partition 1 0 100\n/var/swap\\040file file 2 0 -2\n"
	if got := swapsOnDisk(swaps); !slices.Equal(got, []string{"/var/swap file"}) {
		t.Errorf("swapsOnDisk = %q", got)
	}
}

func TestZram(t *testing.T) {
	if got := memTotal("MemFree: 1 kB\nMemTotal:         221184 kB\n"); got != 216<<20 {
		t.Errorf("memTotal = %d, want 216 MiB", got)
	}
	for total, want := range map[uint64]uint64{
		0: 0, 216 << 20: 108 << 20, 4095 + 2<<20: 1 << 20, 1 << 30: 512 << 20, 1800 << 20: 0, 8 << 30: 0,
	} {
		if got := zramSize(total, 4096); got != want {
			t.Errorf("zramSize(%d) = %d, want %d", total, got, want)
		}
	}
	h := swapHeader(108<<20, 4096)
	if len(h) != 4096 || !bytes.HasSuffix(h, []byte("SWAPSPACE2")) || binary.NativeEndian.Uint32(h[1028:]) != 108<<8-1 {
		t.Errorf("swap header has %d bytes and last page %d", len(h), binary.NativeEndian.Uint32(h[1028:]))
	}
}

func TestHasKey(t *testing.T) {
	for bitmap, want := range map[string]bool{
		"10000000000000 0\n":                    true, // An ACPI power button: bit 116 is bit 52 of the second word.
		"10000000000000":                        false,
		"0 0":                                   false,
		"":                                      false,
		"x y":                                   false,
		"1 ffffffffffffffff ffffffffffffffff 0": true,
	} {
		if got := hasKey(bitmap, keyPower); got != want && eventTime == 16 {
			t.Errorf("hasKey(%q) = %v, want %v", bitmap, got, want)
		}
	}
}

func TestPowerPressed(t *testing.T) {
	event := func(kind, code uint16, value uint32) []byte {
		b := make([]byte, eventTime, eventSize)
		b = binary.NativeEndian.AppendUint16(b, kind)
		b = binary.NativeEndian.AppendUint16(b, code)
		return binary.NativeEndian.AppendUint32(b, value)
	}
	press, release, sync, enter := event(1, 116, 1), event(1, 116, 0), event(0, 0, 0), event(1, 28, 1)
	for name, test := range map[string]struct {
		events []byte
		want   bool
	}{
		"press":       {slices.Concat(sync, press, sync), true},
		"release":     {slices.Concat(release, sync), false},
		"another key": {slices.Concat(enter, sync), false},
		"half":        {press[:eventSize-1], false},
		"nothing":     {nil, false},
	} {
		if got := powerPressed(test.events); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestSignals: no signal that is sent ends this process, and what it starts inherits none that is ignored.
func TestSignals(t *testing.T) {
	ignored := func() uint64 {
		t.Helper()
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Skip(err)
		}
		_, mask, _ := strings.Cut(string(status), "\nSigIgn:")
		mask, _, _ = strings.Cut(mask, "\n")
		set, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	before := ignored() // nohup(1) ignores some
	requests := make(chan request, 1)
	go watchSignals(requests)
	t.Cleanup(func() {
		signal.Reset(meaningless...)
		for s := range meanings {
			signal.Reset(s)
		}
	})
	// Before it is caught, SIGPWR does nothing to a Go program.
	heard := func() {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; {
			unix.Kill(os.Getpid(), unix.SIGPWR)
			select {
			case <-requests:
				return
			case <-time.After(10 * time.Millisecond):
			}
			if time.Now().After(deadline) {
				t.Fatal("SIGPWR was not heard")
			}
		}
	}
	heard()
	for n := unix.Signal(1); n <= 64; n++ {
		switch n {
		case unix.SIGKILL, unix.SIGSTOP, 32, 34: // Left at their default, which the kernel spares PID 1.
			continue
		}
		if meanings[n].reason != "" {
			continue
		}
		if err := unix.Kill(os.Getpid(), n); err != nil {
			t.Errorf("send signal %d: %v", n, err)
		}
	}
	heard()
	if after := ignored(); after&^before != 0 {
		t.Errorf("ignored signals are %x, were %x: what is started would ignore them too", after, before)
	}
}

func TestRequests(t *testing.T) {
	c := make(chan request, 1)
	ask(c, request{restart, "first"})
	ask(c, request{powerOff, "second"})
	if r := <-c; r.reason != "first" {
		t.Errorf("%q counts, want the first", r.reason)
	}
}
