package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/apply"
	"github.com/coracle-os/coracle/machined/boots"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/services"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/update"
)

// afterFailedBoots is a machine that starts after some boots with its config that did not get healthy.
func afterFailedBoots(t *testing.T, n int) *daemon {
	t.Helper()
	dir := t.TempDir()
	text := []byte(smallestConfig)
	path := filepath.Join(dir, "boots.json")
	for i := range n {
		c := boots.Counter{Path: path}
		if _, _, err := c.Begin(boots.Start{ID: fmt.Sprint(i), Config: apply.Digest(text), After: 3}); err != nil {
			t.Fatal(err)
		}
	}
	log, store := slog.New(slog.DiscardHandler), state.NewStore(state.Machine{})
	return &daemon{
		ctx: t.Context(), log: log, store: store, dataReady: true, config: config.Default(), text: text, configured: true,
		kube:    services.NewSupervisor(services.Program{}, filepath.Join(dir, "settings.json"), store, log, func() {}),
		updater: &update.Updater{}, boots: &boots.Counter{Path: path}, nodeChanged: make(chan struct{}, 1),
	}
}

// starts runs the phases that decide whether Kubernetes is started, and returns what is said when it is not.
func (d *daemon) starts(t *testing.T) (started bool, says string) {
	t.Helper()
	if err := d.countBoot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.startKube(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d.node != nil, d.says()
}

func (d *daemon) says() string {
	m, _ := d.store.Get()
	if len(m.Conditions) == 0 {
		return ""
	}
	return m.Conditions[0].Message
}

func TestSafeMode(t *testing.T) {
	for name, tc := range map[string]struct {
		failed int
		change func(*daemon)
		safe   bool
	}{
		"two boots":      {2, func(*daemon) {}, false},
		"three boots":    {3, func(*daemon) {}, true},
		"a trial":        {3, func(d *daemon) { d.boot.Trial = true }, false},
		"another config": {3, func(d *daemon) { d.text = append(d.text, '\n') }, false},
		"never":          {3, func(d *daemon) { d.config.Machine.SafeMode.After = 0 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := afterFailedBoots(t, tc.failed)
			tc.change(d)
			started, says := d.starts(t)
			if started == tc.safe || strings.HasPrefix(says, "Safe mode, Kubernetes is not started: the last 3 boots never got healthy.") != tc.safe {
				t.Errorf("started %v, says %q", started, says)
			}
		})
	}
}

func TestSafeModeIsLeft(t *testing.T) {
	for name, leave := range map[string]func(*daemon) error{
		"kube is restarted": (*daemon).restartKube,
		"another config": func(d *daemon) error {
			d.text = append(d.text, '\n')
			if err := d.countBoot(t.Context()); err != nil {
				return err
			}
			return d.startKube(t.Context())
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := afterFailedBoots(t, 3)
			d.starts(t)
			if err := leave(d); err != nil {
				t.Fatal(err)
			}
			if d.node == nil || d.says() != "" {
				t.Errorf("node %v, says %q", d.node, d.says())
			}
		})
	}
}

func TestRestartOfAKubeThatDoesNotRun(t *testing.T) {
	d := afterFailedBoots(t, 0)
	d.starts(t)
	if err := d.restartKube(); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("%v", err)
	}
}
