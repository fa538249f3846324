package console

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestMilestone(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       Milestone
		ok         bool
	}{
		{"with detail", "[   12.345678] machined: milestone network eth0 10.0.2.15/24",
			Milestone{Component: "machined", Name: "network", Detail: "eth0 10.0.2.15/24", Kernel: 12345678 * time.Microsecond}, true},
		{"without detail", "[    1.000001] init: milestone kernel", Milestone{Component: "init", Name: "kernel", Kernel: 1000001 * time.Microsecond}, true},
		{"after the boot loader's half line", "Booting[    0.500000] init: milestone root", Milestone{Component: "init", Name: "root", Kernel: 500 * time.Millisecond}, true},
		{"printk caller", "[   12.000000][    T1] machined: milestone node-ready", Milestone{Component: "machined", Name: "node-ready", Kernel: 12 * time.Second}, true},
		{"past a day", "[86401.000000] machined: milestone time", Milestone{Component: "machined", Name: "time", Kernel: 86401 * time.Second}, true},
		{"no time stamp", "machined: milestone network", Milestone{}, false},
		{"in the middle of a message", "[    1.000000] audit: someone: milestone node-ready", Milestone{}, false},
		{"another line", "[    1.000000] machined: API on :50000, fingerprint SHA256:abc", Milestone{}, false},
		{"empty", "", Milestone{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := (Line{Text: c.line}).Milestone(); ok != c.ok || got != c.want {
				t.Errorf("got %+v, %v; want %+v, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func FuzzMilestone(f *testing.F) {
	f.Add("[   12.345678] machined: milestone network eth0")
	f.Add("[99999999999999999999.000000] a: milestone b")
	f.Fuzz(func(t *testing.T, line string) {
		if m, ok := (Line{Text: line}).Milestone(); ok && (m.Name == "" || m.Component == "") {
			t.Errorf("%q gave %+v", line, m)
		}
	})
}

func TestNotice(t *testing.T) {
	for line, want := range map[string]string{
		"[    3.000000] machined: no DHCP server answers on eth0": "machined: no DHCP server answers on eth0",
		"[    3.000000] init: starting machined":                  "init: starting machined",
		"[    3.000000] virtio_net: registered":                   "",
		"machined: without a time stamp":                          "",
	} {
		text, ok := (Line{Text: line}).Notice()
		if ok != (want != "") || ok && text != want {
			t.Errorf("%q gave %q, %v", line, text, ok)
		}
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestFollowAGrowingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log := NewLog(time.Now())
	ctx, cancel := context.WithCancel(context.Background())
	followed := make(chan error, 1)
	go func() { followed <- log.Follow(ctx, path) }()

	write := func(s string) {
		if _, err := f.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
	write("\x1b[2J\x1b[01;01HGRUB \x1b[=3hloading\r\n[    1.000000] init: milestone ker")
	if _, err := log.Wait(within(t, 5*time.Second), regexp.MustCompile("^GRUB loading$")); err != nil {
		t.Fatal(err)
	}
	if n := len(log.Milestones()); n != 0 {
		t.Fatalf("%d milestones from half a line", n)
	}
	write("nel\r\n")
	m, err := log.WaitMilestone(within(t, 5*time.Second), "kernel")
	if err != nil {
		t.Fatal(err)
	}
	if m.Seen <= 0 {
		t.Errorf("milestone has no host time: %+v", m)
	}
	write("an unfinished end")
	cancel()
	if err := <-followed; err != nil {
		t.Fatal(err)
	}
	if tail := log.Tail(1); !strings.HasSuffix(tail, "an unfinished end") {
		t.Errorf("tail %q lacks what was written before the end", tail)
	}
}

func TestWaitEndsWhenTheMachineCannotGoOn(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"panic", "[    2.000000] Kernel panic - not syncing: VFS: Unable to mount root fs\n", "the kernel panicked"},
		{"UEFI", "BdsDxe: No bootable option or device was found.", "UEFI found nothing"},
		{"BIOS", "No bootable device.", "BIOS found nothing"},
		{"GRUB", "grub rescue> ", "GRUB stopped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log := NewLog(time.Now())
			if _, err := log.Write([]byte("start\n" + c.line)); err != nil {
				t.Fatal(err)
			}
			_, err := log.WaitMilestone(within(t, 5*time.Second), "node-ready")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
			if _, err := log.Wait(within(t, 5*time.Second), regexp.MustCompile("^start$")); err != nil {
				t.Errorf("what was printed before is lost: %v", err)
			}
		})
	}
}

func TestFailWakesThoseWhoWait(t *testing.T) {
	log, gone := NewLog(time.Now()), errors.New("QEMU ended")
	got := make(chan error, 1)
	go func() {
		_, err := log.WaitMilestone(within(t, 5*time.Second), "root")
		got <- err
	}()
	log.Fail(gone)
	if err := <-got; !errors.Is(err, gone) {
		t.Errorf("got %v, want %v", err, gone)
	}
}

func TestWaitSaysWhatItWaitedForAndTheLastLine(t *testing.T) {
	log := NewLog(time.Now())
	if _, err := log.Write([]byte("Booting `Coracle'\n")); err != nil {
		t.Fatal(err)
	}
	_, err := log.WaitMilestone(within(t, time.Millisecond), "root")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "milestone root") || !strings.Contains(err.Error(), "Booting") {
		t.Errorf("got %v", err)
	}
}

func TestEndlessLineIsCut(t *testing.T) {
	log := NewLog(time.Now())
	if _, err := log.Write([]byte(strings.Repeat("x", 3*longestLine))); err != nil {
		t.Fatal(err)
	}
	if len(log.partial) >= longestLine {
		t.Errorf("%d bytes kept of a line without end", len(log.partial))
	}
}
