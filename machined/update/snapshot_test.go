package update

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/record"
)

// database is that of a bench.
func (b *bench) database() string { return filepath.Join(b.dir, "db", "state.db") }

// store is kube writing to its database, which goes down without emptying its log.
func (b *bench) store(content string) {
	b.Helper()
	for _, suffix := range databaseSuffixes {
		path := b.database() + suffix
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content+suffix), 0o600)); err != nil {
			b.Fatal(err)
		}
	}
}

// holds fails unless the database, or what the trial has left of it, is what was stored.
func (b *bench) holds(suffix, content string) {
	b.Helper()
	for _, file := range databaseSuffixes[1:] {
		got, err := os.ReadFile(b.database() + suffix + file)
		if err != nil || string(got) != content+file {
			b.Errorf("the database's %q is %q, %v; want %q", suffix+file, got, err, content+file)
		}
	}
}

// toNextMinor is an upgrade to another minor version of Kubernetes, which is staged.
func (b *bench) toNextMinor() *Updater {
	b.Helper()
	u, _ := b.started("a", "1.0.0", false)
	next := b.artifact("1.1.0", noise(2, imageSize), func(m *artifact.Manifest) { m.Kubernetes = "v1.38.0" })
	if _, err := b.install(u, next.file, Options{Stage: true, Force: true}); err != nil {
		b.Fatal(err)
	}
	return u
}

// tries is machined of the version on trial.
func (b *bench) tries() (*Updater, error) {
	b.Helper()
	slot, trial := b.tryIt()
	if !trial {
		b.Fatal("nothing is tried")
	}
	b.reach(slot, record.Init)
	u := b.updater(slot, "1.1.0", true)
	u.Release.Kubernetes = "v1.38.0"
	_, err := u.Recover(b.Context(), 0)
	return u, err
}

// The datastore is put back when a version with another minor version of Kubernetes is rolled back, whether the machine went
// down in order before the trial or its power was cut.
func TestDatastoreIsPutBack(t *testing.T) {
	for _, inOrder := range []bool{true, false} {
		b := newBench(t)
		u := b.toNextMinor()
		b.store("before")
		if inOrder {
			if err := u.BeforeRestart("restart"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.tries(); err != nil {
			t.Fatal(err)
		}
		b.store("by the trial")
		if _, err := b.triesOn(); err != nil { // machined is started again: nothing is kept of the trial
			t.Fatal(err)
		}
		b.started("a", "1.0.0", false)
		b.holds("", "before")
		b.holds(rejectedSuffix, "by the trial")
		b.store("afterwards")
		b.started("a", "1.0.0", false)
		b.holds("", "afterwards")
		b.holds(rejectedSuffix, "by the trial")
	}
}

// triesOn is machined that is started again while its version is on trial.
func (b *bench) triesOn() (*Updater, error) {
	u := b.updater("b", "1.1.0", true)
	u.Release.Kubernetes = "v1.38.0"
	_, err := u.Recover(b.Context(), 0)
	return u, err
}

// What was kept before one trial is not put back after another.
func TestSnapshotIsOfOneTrial(t *testing.T) {
	for _, c := range []struct {
		name    string
		between func(b *bench, u *Updater)
	}{
		{"the boot loader could not try it", func(b *bench, _ *Updater) {
			b.store("long afterwards")
			b.started("a", "1.0.0", false)
			b.store("right before")
		}},
		{"it was cancelled, and staged again", func(b *bench, u *Updater) {
			if _, err := u.Cancel(); err != nil {
				b.Fatal(err)
			}
			b.toNextMinor()
			b.store("right before")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.store("long before")
			u := b.toNextMinor()
			if err := u.BeforeRestart("restart"); err != nil {
				t.Fatal(err)
			}
			c.between(b, u)
			if _, err := b.tries(); err != nil { // after a power cut
				t.Fatal(err)
			}
			b.store("by the trial")
			b.started("a", "1.0.0", false)
			b.holds("", "right before")
		})
	}
}

func TestSnapshotIsForgotten(t *testing.T) {
	b := newBench(t)
	b.store("before")
	b.toNextMinor()
	u, err := b.tries()
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(u.Dir, snapshotName)
	u.confirm()
	if _, err := b.triesOn(); err != nil || !exists(kept) {
		t.Errorf("after the confirmation: %v, kept %v", err, exists(kept))
	}
	if b.started("b", "1.1.0", false); exists(kept) {
		t.Error("it is there after another boot")
	}
	b.holds("", "before")
}

// A version does not touch a datastore that could not be kept.
func TestTrialWithoutASnapshot(t *testing.T) {
	b := newBench(t)
	b.toNextMinor()
	if err := os.MkdirAll(b.database(), 0o700); err != nil { // which cannot be copied
		t.Fatal(err)
	}
	if _, err := b.tries(); !errors.Is(err, ErrGivenUp) || len(b.restarts) != 1 {
		t.Errorf("%v; restarts %q", err, b.restarts)
	}
	if _, o := b.started("a", "1.0.0", false); o == nil || o.Reason == "" || o.Reason != b.record("b").Reason {
		t.Errorf("it says %+v", o)
	}
}

// The power is cut between any two changes on the disk while the datastore is kept and put back.
func TestPowerCutsAroundTheDatastore(t *testing.T) {
	t.Cleanup(func() { stepped = func() {} })
	cuts := 0
	for _, c := range []struct {
		name   string
		before func(b *bench)
		cut    func(b *bench, u *Updater)
	}{
		{"before the restart", func(*bench) {}, func(_ *bench, u *Updater) { u.BeforeRestart("restart") }},
		{"when it is tried", func(*bench) {}, func(b *bench, _ *Updater) { b.tries() }},
		{"when it is rolled back", func(b *bench) {
			b.tries()
			b.store("by the trial")
		}, func(b *bench, _ *Updater) { b.started("a", "1.0.0", false) }},
	} {
		for cut := 1; ; cut++ {
			b := newBench(t)
			u := b.toNextMinor()
			b.store("before")
			c.before(b)
			left := cut
			stepped = func() {
				if left--; left == 0 {
					panic(errCut)
				}
			}
			cutShort := isCut(func() { c.cut(b, u) })
			stepped = func() {}
			if !cutShort {
				break
			}
			cuts++
			if b.env.Try != "" {
				if _, err := b.tries(); err != nil {
					t.Fatal(err)
				}
				b.store("by the trial")
			}
			b.started("a", "1.0.0", false)
			if b.holds("", "before"); t.Failed() {
				t.Fatalf("%s: cut at step %d", c.name, cut)
			}
			if b.mustInstall(u, b.artifact("1.1.0", noise(2, imageSize)), noise(2, imageSize)); exists(filepath.Join(u.Dir, snapshotName)) {
				t.Fatalf("%s: cut at step %d: a snapshot is left", c.name, cut)
			}
		}
	}
	if cuts < 10 {
		t.Errorf("only %d places to cut at", cuts)
	}
}

// isCut is whether f ends in [errCut].
func isCut(f func()) (cut bool) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case errCut:
			cut = true
		default:
			panic(r)
		}
	}()
	f()
	return false
}
