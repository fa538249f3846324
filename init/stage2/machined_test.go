package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/init/handover"
)

func TestBackoff(t *testing.T) {
	var b backoff
	for i, step := range []struct{ ran, want time.Duration }{
		{0, 100 * time.Millisecond},
		{0, 200 * time.Millisecond},
		{time.Second, 400 * time.Millisecond},
		{59 * time.Second, 800 * time.Millisecond},
		{60 * time.Second, 100 * time.Millisecond},
		{0, 200 * time.Millisecond},
	} {
		if got := b.next(step.ran); got != step.want {
			t.Errorf("start %d: pause %v, want %v", i, got, step.want)
		}
	}
	for range 20 {
		b.next(0)
	}
	if got := b.next(0); got != 30*time.Second {
		t.Errorf("after many failures: pause %v, want 30s", got)
	}
}

func TestHealth(t *testing.T) {
	start := time.Unix(1000, 0)
	now := start
	at := func(seconds int) { now = start.Add(time.Duration(seconds) * time.Second) }
	h := newHealth(func() time.Time { return now })
	h.started()
	check := func(seconds int, want bool) {
		t.Helper()
		at(seconds)
		if got := h.ok(); got != want {
			t.Errorf("after %d s: ok = %v, want %v", seconds, got, want)
		}
	}
	check(119, true)
	check(121, false)
	h.healthy()
	check(150, true)
	check(152, false)
	h.started() // It was healthy before: a new grace, 152 to 272.
	check(271, true)
	h.started() // It crashed without ever saying so: none.
	check(273, false)
	h.healthy()
	check(302, true)
}

// TestHealthWithinGrace: saying "healthy" early ends the grace. From then on silence counts.
func TestHealthWithinGrace(t *testing.T) {
	now := time.Unix(0, 0)
	h := newHealth(func() time.Time { return now })
	h.healthy()
	now = now.Add(31 * time.Second)
	if h.ok() {
		t.Error("healthy 31 s after it was said last")
	}
}

func TestEnding(t *testing.T) {
	for want, got := range map[string]string{
		"exited with code 0":                      ending(0, ""),
		"exited with code 3: settings are bad":    ending(3<<8, "settings are bad"),
		"was killed by signal 9 (killed)":         ending(9, ""),
		"was killed by signal 6 (aborted): panic": ending(6|0x80, "panic"),
	} {
		if got != want {
			t.Errorf("ending = %q, want %q", got, want)
		}
	}
}

func TestOutput(t *testing.T) {
	for name, test := range map[string]struct{ printed, want string }{
		"last line": {"one\ntwo\n", "two"},
		"unended":   {"one\nhalf", "half"},
		"panic":     {"started\npanic: nil map\n\ngoroutine 1 [running]:\nmain.main()\n", "panic: nil map"},
		"fatal":     {"fatal error: out of memory\npanic: later\nexit status 2\n", "fatal error: out of memory"},
		"nothing":   {"", ""},
		"long line": {strings.Repeat("x", 3000) + "\nend\n", "end"},
	} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			o := newOutput("test")
			go o.copy(r)
			w.WriteString(test.printed)
			w.Close()
			if got := o.cause(); got != test.want {
				t.Errorf("cause = %q, want %q", got, test.want)
			}
		})
	}
}

// TestReaper: ends reach who started the child, and others' children are reaped as well. Test binaries have no
// other children at this time.
func TestReaper(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh on this machine")
	}
	// Orphans of the shells below become children of this process.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	r := newReaper()
	go r.run()
	start := func(script string) <-chan unix.WaitStatus {
		t.Helper()
		_, ended, err := r.start(shell, []string{"sh", "-c", script}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
		if err != nil {
			t.Fatal(err)
		}
		return ended
	}
	wait := func(ended <-chan unix.WaitStatus) unix.WaitStatus {
		t.Helper()
		select {
		case s := <-ended:
			return s
		case <-time.After(10 * time.Second):
			t.Fatal("the end of a child was not seen")
			return 0
		}
	}
	// Many that end at once: none is lost, however early it ends.
	var all []<-chan unix.WaitStatus
	for range 30 {
		all = append(all, start("exit 7"))
	}
	for _, ended := range all {
		if s := wait(ended); s.ExitStatus() != 7 {
			t.Errorf("exit status %d, want 7", s.ExitStatus())
		}
	}
	if s := wait(start("kill -9 $$")); s.Signal() != unix.SIGKILL {
		t.Errorf("ended with %v, want SIGKILL", s.Signal())
	}
	wait(start("sleep 0.1 & sleep 0.2 & exit 0"))
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err == unix.ECHILD {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("orphans were not reaped")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, _, err := r.start("/nonexistent", nil, &syscall.ProcAttr{}); err == nil {
		t.Error("a program that does not exist was started")
	}
}

func TestListen(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	h := newHealth(func() time.Time { return now })
	now = now.Add(time.Hour)
	requests := make(chan request, 1)
	var timeouts []int
	s := newSupervisor(nil, h, func(seconds int) { timeouts = append(timeouts, seconds) }, requests, newTrial(handover.Boot{}, requests))
	for _, word := range []string{"nonsense", "watchdog", "watchdog -1", "watchdog 15", "watchdog 0", control.Healthy, control.Poweroff, control.Reboot} {
		unix.Write(pair[1], []byte(word))
	}
	unix.Close(pair[1])
	line := os.NewFile(uintptr(pair[0]), "line")
	defer line.Close()
	s.listen(line)
	if !h.ok() {
		t.Error("healthy was not heard")
	}
	if !slices.Equal(timeouts, []int{15, 0}) {
		t.Errorf("heard of watchdog timeouts %v, want 15 and 0 s", timeouts)
	}
	if r := <-requests; r.action != powerOff {
		t.Errorf("asked to %v, want power off: the first counts", r.action)
	}
}

func TestGuard(t *testing.T) {
	runs := make(chan int, 2)
	n := 0
	guard("test", func() {
		n++
		runs <- n
		if n == 1 {
			var m map[string]int
			m["x"] = 1
		}
	})
	for want := 1; want <= 2; want++ {
		select {
		case got := <-runs:
			if got != want {
				t.Errorf("run %d, want %d", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("it was not started again after a panic")
		}
	}
}
