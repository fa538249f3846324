package update

import (
	"testing"
	"time"

	"github.com/coracle-os/coracle/images/slot/grubenv"
)

func TestConfirmed(t *testing.T) {
	for name, tc := range map[string]struct {
		env      grubenv.State
		envBad   bool
		trial    bool // the slot is on trial, as far as machined knows
		diskless bool
		want     bool
	}{
		"as flashed":                    {env: grubenv.State{Active: "a"}, want: true},
		"another version is staged":     {env: grubenv.State{Active: "a", Try: "b"}, want: true},
		"on trial":                      {env: grubenv.State{Active: "b", Tried: "a"}, trial: true},
		"on trial, and not known to be": {env: grubenv.State{Active: "b", Tried: "a"}},
		"the other slot is damaged":     {env: grubenv.State{Active: "b"}},
		"the environment is damaged":    {env: grubenv.State{Active: "a"}, envBad: true},
		"from the network":              {env: grubenv.State{Active: "a"}, diskless: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.env, b.envBad = tc.env, tc.envBad
			u := b.updater("a", "1.1.0", tc.trial)
			if tc.trial {
				u.until = time.Now().Add(time.Hour)
			}
			if tc.diskless {
				u.Boot.Disk = ""
			}
			if got, err := u.Confirmed(); err != nil || got != tc.want {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// TestConfirmedAfterATrial: it is not, until it is.
func TestConfirmedAfterATrial(t *testing.T) {
	b := newBench(t)
	u, _ := b.started("a", "1.0.0", false)
	b.mustInstall(u, b.artifact("1.1.0", noise(2, imageSize)), noise(2, imageSize))
	slot, trial := b.tryIt()
	u, _ = b.started(slot, "1.1.0", trial)
	if ok, err := u.Confirmed(); ok || err != nil {
		t.Errorf("on trial: %v, %v", ok, err)
	}
	if _, err := u.confirm(); err != nil {
		t.Fatal(err)
	}
	if ok, err := u.Confirmed(); !ok || err != nil {
		t.Errorf("after it: %v, %v", ok, err)
	}
	u, _ = b.started(slot, "1.1.0", trial) // machined was started again
	if ok, err := u.Confirmed(); !ok || err != nil {
		t.Errorf("and machined was started again: %v, %v", ok, err)
	}
}
