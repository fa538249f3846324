package update

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
)

// What the disk says after a boot of slot a, and what that means.
func TestSettle(t *testing.T) {
	at := func(p record.Phase) record.Record { return record.Record{Version: "1.1.0", Phase: p} }
	for _, c := range []struct {
		name       string
		trial      bool
		env        grubenv.State
		damaged    bool // env is what the boot loader makes of a file that is not in order
		own, other record.Record
		want       verdict
	}{
		{"as flashed", false, grubenv.State{Active: "a"}, true, record.Record{}, record.Record{}, nothing},
		{"an ordinary boot", false, grubenv.State{Active: "a"}, false, at(record.Confirmed), at(record.Written), nothing},
		{"staged", false, grubenv.State{Active: "a", Try: "b"}, false, at(record.Confirmed), at(record.Armed), nothing},
		{"cut before the boot loader was told", false, grubenv.State{Active: "a"}, false, at(record.Confirmed), at(record.Armed), neverTried},
		{"not loaded", false, grubenv.State{Active: "a", Tried: "b", Failed: "b"}, false, at(record.Confirmed), at(record.Armed), rolledBack},
		{"stopped before machined", false, grubenv.State{Active: "a", Tried: "b"}, false, at(record.Confirmed), at(record.Root), rolledBack},
		{"stopped, and the boot loader's state is damaged", false, grubenv.State{Active: "a"}, true, at(record.Confirmed), at(record.Machined), rolledBack},
		{"on trial", true, grubenv.State{Active: "b", Tried: "a"}, false, at(record.Init), at(record.Confirmed), onTrial},
		{"machined again while on trial", true, grubenv.State{Active: "b", Tried: "a"}, false, at(record.Machined), at(record.Confirmed), onTrial},
		{"on trial, and the boot loader would take it by default", true, grubenv.State{Active: "a"}, true, at(record.Init), at(record.Confirmed), onTrial},
		{"on trial without a record", true, grubenv.State{Active: "b", Tried: "a"}, false, record.Record{}, record.Record{}, onTrial},
		{"machined again after the boot loader was told", true, grubenv.State{Active: "a"}, false, at(record.Machined), at(record.Confirmed), wasConfirmed},
		{"machined again after it was confirmed", true, grubenv.State{Active: "a"}, false, at(record.Confirmed), at(record.Confirmed), nothing},
		{"cut after the boot loader was told", false, grubenv.State{Active: "a"}, false, at(record.Machined), at(record.Confirmed), wasConfirmed},
		{"cut while the boot loader was told", false, grubenv.State{Active: "a"}, true, at(record.Machined), at(record.Confirmed), wasConfirmed},
		{"the good slot is not loaded", false, grubenv.State{Active: "b"}, false, at(record.Written), at(record.Confirmed), fellBack},
	} {
		if got := settle("a", c.trial, c.env, !c.damaged, c.own, c.other); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// A version on trial whose boot loader's state is damaged does not become the one that is booted by that.
func TestTrialWithDamagedEnvironment(t *testing.T) {
	b := newBench(t)
	u, _ := b.started("a", "1.0.0", false)
	b.mustInstall(u, b.artifact("1.1.0", noise(2, imageSize)), noise(2, imageSize))
	b.tryIt()
	b.env, b.envBad = grubenv.State{Active: "b"}, true
	u, _ = b.started("b", "1.1.0", true)
	if want := (grubenv.State{Active: "a", Tried: "b"}); b.env != want || b.envBad || !u.onTrial() {
		t.Errorf("the boot loader has %+v, want %+v; on trial %v", b.env, want, u.onTrial())
	}
}

// The slot that was good is damaged, and the boot loader took the other.
func TestGoodSlotIsLost(t *testing.T) {
	b := newBench(t)
	u, _ := b.started("a", "1.0.0", false)
	next := b.artifact("1.1.0", noise(2, imageSize))
	b.mustInstall(u, next, noise(2, imageSize))
	b.tryIt()
	u, _ = b.started("b", "1.1.0", true)
	u.confirm()
	u, o := b.started("a", "1.0.0", false)
	if o == nil || o.Version != "1.1.0" || o.Reason != damagedSlot || b.env != (grubenv.State{Active: "a"}) {
		t.Errorf("it says %+v; the boot loader has %+v", o, b.env)
	}
	if r, err := b.install(u, next.file, Options{}); err != nil || len(r.Overridden) > 0 {
		t.Errorf("the same version again: %+v, %v", r, err)
	}
}

// Who restarts the machine during a trial ends it, and the reason says so.
func TestRestartDuringATrial(t *testing.T) {
	b := newBench(t)
	u, _ := b.started("a", "1.0.0", false)
	b.mustInstall(u, b.artifact("1.1.0", noise(2, imageSize)), noise(2, imageSize))
	if _, err := b.install(u, nil, Options{}); !errors.Is(err, ErrBusy) {
		t.Errorf("an upgrade while the machine restarts: %v", err)
	}
	b.tryIt()
	u, _ = b.started("b", "1.1.0", true)
	if err := u.BeforeRestart("power off"); err != nil {
		t.Fatal(err)
	}
	if _, o := b.started("a", "1.0.0", false); o == nil || !strings.Contains(o.Reason, "went down before it was confirmed: power off") {
		t.Errorf("it says %+v", o)
	}
}

// A trial that was given up keeps its reason.
func TestReasonIsKept(t *testing.T) {
	b := newBench(t)
	u, _ := b.started("a", "1.0.0", false)
	b.mustInstall(u, b.artifact("1.1.0", noise(2, imageSize)), noise(2, imageSize))
	b.tryIt()
	u = b.updater("b", "1.1.0", true)
	if _, err := u.Recover(t.Context(), 11*time.Minute); err != nil { // its 10 minutes are over
		t.Fatal(err)
	}
	sick := func(_ context.Context, _ bool) []string { return []string{"kube does not run"} }
	if err := u.Watch(t.Context(), sick, nil); err != nil || len(b.restarts) != 2 {
		t.Fatalf("%v; restarts %q", err, b.restarts)
	}
	u.BeforeRestart("restart")
	if _, o := b.started("a", "1.0.0", false); o == nil || o.Reason != "it did not get healthy in time: kube does not run" {
		t.Errorf("it says %+v", o)
	}
}
