package console

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAStoppedTerminalDropsFrames(t *testing.T) {
	var pipe [2]int // as a terminal: it takes nothing while it is full
	if err := unix.Pipe2(pipe[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[1])
	buffer := make([]byte, 1<<20)
	read := func() string {
		n, _ := unix.Read(pipe[0], buffer)
		return string(buffer[:max(0, n)])
	}
	if _, err := unix.Write(pipe[1], buffer); err != nil {
		t.Fatal(err)
	}
	f := frames{fd: pipe[1], head: prepare}
	for range 3 {
		if err := f.draw("one\n"); err != nil {
			t.Fatal(err)
		}
	}
	for read() != "" {
	}
	for _, step := range []struct{ name, draw, want string }{
		{"it goes on", "one\n", prepare + "\x1b[Hone\x1b[K\r\n\x1b[J"},
		{"the same again", "one\n", ""},
		{"another", "two\n", "\x1b[Htwo\x1b[K\r\n\x1b[J"},
	} {
		if err := f.draw(step.draw); err != nil {
			t.Fatal(err)
		}
		if got := read(); got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}

	// A frame of which only a part fits.
	if err := f.draw(strings.Repeat("x", 1<<20)); err != nil {
		t.Fatal(err)
	}
	for read() != "" {
	}
	if err := f.draw("two\n"); err != nil {
		t.Fatal(err)
	}
	if got := read(); !strings.HasPrefix(got, "\x1b[Htwo") {
		t.Errorf("after a part of a frame: %.20q", got)
	}
	unix.Close(pipe[0])
	if err := f.draw("three\n"); err == nil {
		t.Error("a terminal that is gone is no error")
	}
}
