package worker

import (
	"testing"
	"time"
)

func TestPatience(t *testing.T) {
	for _, c := range []struct{ least, sinceStart, want time.Duration }{
		{6 * time.Second, 0, 6 * time.Second},
		{6 * time.Second, 40 * time.Second, 20 * time.Second},
		{30 * time.Second, 40 * time.Second, 30 * time.Second},
		{6 * time.Second, time.Hour, longestPatience},
	} {
		if got := patience(c.least, c.sinceStart); got != c.want {
			t.Errorf("%v at least, %v after the start: %v, want %v", c.least, c.sinceStart, got, c.want)
		}
	}
}

func TestIdleSince(t *testing.T) {
	before, err := parseProcessorTime("cpu  100 10 50 1000 20 0 5 0 0 0\ncpu0 1 2 3 4 5 6 7 0 0 0\n")
	if err != nil || before != (usage{busy: 185, idle: 1000}) {
		t.Fatalf("got %+v, %v", before, err)
	}
	for text, want := range map[string]float64{
		"cpu  150 10 50 1050 20 0 5 0 0 0\n": 0.5,
		"cpu  100 10 50 1100 20 0 5 0 0 0\n": 1,
		"cpu  100 10 50 1000 70 0 5 0 0 0\n": 0, // waits for a disk
		"cpu  100 10 50 1000 20 0 5 0 0 0\n": 0, // no time has passed
	} {
		now, err := parseProcessorTime(text)
		if got := now.idleSince(before); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "cpu 1 2 3\n", "intr 1 2 3 4 5 6 7\n"} {
		if _, err := parseProcessorTime(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
