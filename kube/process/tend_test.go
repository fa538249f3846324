package process

import (
	"runtime"
	"testing"
)

func TestNext(t *testing.T) {
	c := Collector{percent: 15, starting: 80}
	for _, tc := range []struct {
		name    string
		percent int
		share   float64
		want    int
	}{
		{"idle after the start", 80, 0, 40},
		{"idle for long", 20, 0.01, 15},
		{"idle for longer", 15, 0.01, 15},
		{"some work", 40, 0.05, 40},
		{"much work", 15, 0.2, 30},
		{"much work for long", 60, 0.4, 80},
		{"much work for longer", 80, 0.4, 80},
	} {
		if got := c.next(tc.percent, tc.share); got != tc.want {
			t.Errorf("%s: GOGC %d, %v of the time: %d, want %d", tc.name, tc.percent, tc.share, got, tc.want)
		}
	}
}

// TestCollected: the runtime has these metrics under these names, and they grow with collections.
func TestCollected(t *testing.T) {
	before := collected()
	for range 3 {
		runtime.GC()
	}
	now := collected()
	if share := now.share(before); share <= 0 {
		t.Errorf("after three collections %v of the time since %+v, %+v", share, before, now)
	}
	if share := now.share(now); share != 0 {
		t.Errorf("%v of no time", share)
	}
}
