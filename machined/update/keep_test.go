package update

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Each version finds the config that it had when another took over, as long as it is in a slot.
func TestConfigsAreKept(t *testing.T) {
	b := newBench(t)
	dir := b.updater("a", "", false).Dir
	for _, c := range []struct{ slot, version, next, config string }{
		{"a", "1.0.0", "1.1.0", "of 1.0.0"},
		{"b", "1.1.0", "1.2.0", "of 1.1.0"},
		{"a", "1.2.0", "1.3.0", "of 1.2.0"},
	} {
		b.env.Active, b.config = c.slot, []byte(c.config)
		u, _ := b.started(c.slot, c.version, false)
		if _, err := b.install(u, b.artifact(c.next, noise(2, imageSize)).file, Options{Stage: true}); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(KeptConfig(dir, c.version)); err != nil || string(got) != c.config {
			t.Errorf("%s has %q, %v", c.version, got, err)
		}
		b.env.Try = ""
	}
	all, err := filepath.Glob(KeptConfig(dir, "*"))
	if want := []string{KeptConfig(dir, "1.2.0")}; err != nil || !slices.Equal(all, want) {
		t.Errorf("%q, %v; want %q", all, err, want)
	}
}

// Pods have their time to leave, and no more; whatever becomes of that, the machine restarts.
func TestDrain(t *testing.T) {
	slack := drainSlack
	drainSlack = 0
	t.Cleanup(func() { drainSlack = slack })
	for _, c := range []struct {
		name    string
		drain   func(ctx context.Context) error
		options Options
		asked   bool
	}{
		{"they leave", func(context.Context) error { return nil }, Options{}, true},
		{"it fails", func(context.Context) error { return errors.New("no") }, Options{}, true},
		{"it hangs", func(context.Context) error { select {} }, Options{Drain: time.Millisecond}, true},
		{"staged", func(context.Context) error { return nil }, Options{Stage: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			u, _ := b.started("a", "1.0.0", false)
			asked := make(chan bool, 1)
			u.Drain = func(ctx context.Context, most time.Duration) error {
				if most != cmp.Or(c.options.Drain, time.Minute) {
					t.Errorf("pods have %v", most)
				}
				asked <- true
				return c.drain(ctx)
			}
			if _, err := b.install(u, b.artifact("1.1.0", noise(2, imageSize)).file, c.options); err != nil {
				t.Fatal(err)
			}
			if c.asked {
				<-asked // a drain that hangs may be asked for only when its time is over
			}
			if len(asked) > 0 || (len(b.restarts) > 0) != c.asked {
				t.Errorf("asked once more: %v; restarts %q, want some: %v", len(asked) > 0, b.restarts, c.asked)
			}
		})
	}
}
