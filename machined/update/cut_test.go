package update

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
)

// versions are what is in the slots of a bench when 1.1.0 is tried.
var versions = map[string]string{"a": "1.0.0", "b": "1.1.0"}

// mustInstall is an upgrade that has to go through, whatever happened before.
func (b *bench) mustInstall(u *Updater, m made, image []byte) {
	b.Helper()
	r, err := b.install(u, m.file, Options{Force: true})
	if err != nil || !bytes.Equal(b.content(r.Slot), image) || b.env != (grubenv.State{Active: u.Boot.Slot, Try: r.Slot}) || b.record(r.Slot).Phase != record.Armed {
		b.Fatalf("the next upgrade: %v; the boot loader has %+v, the slot %+v", err, b.env, b.record(r.Slot))
	}
}

// The power is cut at every write of an upgrade, from the first to the last. The machine boots the version before, or tries
// the one that is whole; it never says that something was rolled back that was not tried; and an upgrade goes through then.
func TestPowerCuts(t *testing.T) {
	image := noise(2, imageSize)
	for cut := 0; ; cut++ {
		b := newBench(t)
		b.config = []byte("kind: MachineConfig")
		next := b.artifact("1.1.0", image)
		u, _ := b.started("a", "1.0.0", false)
		b.cutAfter(cut)
		_, err := b.install(u, next.file, Options{})
		if !b.powerIsBack() {
			if err != nil || cut < 9 {
				t.Fatalf("an upgrade of %d writes: %v", cut, err)
			}
			return
		}
		if err != nil && !errors.Is(err, errCut) {
			t.Fatalf("cut at write %d: %v", cut, err)
		}
		slot, trial := b.tryIt()
		if trial && !bytes.Equal(b.content("b"), image) {
			t.Fatalf("cut at write %d: a slot is tried that is not whole", cut)
		}
		u, o := b.started(slot, versions[slot], trial)
		if o != nil {
			t.Errorf("cut at write %d: it says %+v", cut, o)
		}
		if !trial {
			b.mustInstall(u, next, image)
		}
	}
}

// The power is cut at every write of a version on trial, until it is confirmed.
func TestPowerCutsDuringATrial(t *testing.T) {
	confirmed := false
	for cut := 0; ; cut++ {
		b := newBench(t)
		u, _ := b.started("a", "1.0.0", false)
		b.mustInstall(u, b.artifact("1.1.0", noise(2, imageSize)), noise(2, imageSize))
		slot, trial := b.tryIt()
		b.reach("b", record.Init)
		b.cutAfter(cut)
		u = b.updater(slot, "1.1.0", trial)
		u.Recover(t.Context(), 0)
		u.confirm()
		if !b.powerIsBack() {
			if !confirmed || cut < 4 {
				t.Errorf("a trial has %d writes, and no cut came after it was confirmed", cut)
			}
			return
		}
		slot, trial = b.tryIt()
		if trial {
			t.Fatalf("cut at write %d: it is tried twice", cut)
		}
		u, o := b.started(slot, versions[slot], false)
		switch {
		case slot == "a" && (o == nil || o.Result != ResultRolledBack || confirmed):
			t.Errorf("cut at write %d: version 1.0.0 runs and says %+v", cut, o)
		case slot == "b":
			confirmed = true
			if b.record("b").Phase != record.Confirmed || b.env != (grubenv.State{Active: "b"}) {
				t.Errorf("cut at write %d: version 1.1.0 runs, its record is %+v, the boot loader has %+v", cut, b.record("b"), b.env)
			}
			if _, last := u.Brief(); last == nil || last.Result != ResultConfirmed {
				t.Errorf("cut at write %d: version 1.1.0 runs and says %+v", cut, last)
			}
		}
		b.mustInstall(u, b.artifact("1.2.0", noise(3, imageSize)), noise(3, imageSize))
	}
}

// The power is cut at every write after a version did not come up. In the end the machine says so, and why.
func TestPowerCutsWhileRollingBack(t *testing.T) {
	for cut := 0; ; cut++ {
		b := newBench(t)
		u, _ := b.started("a", "1.0.0", false)
		next := b.artifact("1.1.0", noise(2, imageSize))
		b.mustInstall(u, next, noise(2, imageSize))
		b.tryIt()
		b.env.Failed = "b"
		b.cutAfter(cut)
		b.updater("a", "1.0.0", false).Recover(t.Context(), 0)
		cutShort := b.powerIsBack()
		slot, trial := b.tryIt()
		if slot != "a" || trial {
			t.Fatalf("cut at write %d: slot %s is booted", cut, slot)
		}
		u, _ = b.started("a", "1.0.0", false)
		_, last := u.Brief()
		if last == nil || last.Result != ResultRolledBack || last.Reason != reason("b", grubenv.State{Failed: "b"}, record.Record{}, false) {
			t.Errorf("cut at write %d: it says %+v", cut, last)
		}
		if !slices.ContainsFunc(u.memory.Refused, func(r Refused) bool { return r.Digest == last.Digest }) || b.env != (grubenv.State{Active: "a"}) {
			t.Errorf("cut at write %d: refused %+v, the boot loader has %+v", cut, u.memory.Refused, b.env)
		}
		b.mustInstall(u, next, noise(2, imageSize))
		if !cutShort {
			if cut < 3 {
				t.Errorf("rolling back has %d writes", cut)
			}
			return
		}
	}
}
