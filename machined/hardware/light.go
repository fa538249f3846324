package hardware

import (
	"context"
	"log/slog"
	"time"

	"github.com/coracle-os/coracle/machined/state"
)

const (
	// changeEvery is how often the LED is changed at most, so that each signal can be seen.
	changeEvery = time.Second
	// lookEvery is how often an LED is looked for that was not there: its driver may come late.
	lookEvery = 15 * time.Second
)

// Light shows a machine's state on an LED. A machine that has none is no error.
type Light struct {
	Sys         string // /sys
	Board       Board
	LoadModules func(names ...string) error // kernel modules; called before the LED is first used
	Log         *slog.Logger

	loaded bool
	at     led    // that shows it; empty: none yet
	shown  Signal // empty: none
	said   string // what was wrong the last time
}

// Show keeps the LED up to date until ctx ends. Then it goes on as it is, until the power is off or the next machined is there.
func (l *Light) Show(ctx context.Context, store *state.Store) {
	if len(ledNames(l.Board)) == 0 {
		return
	}
	for {
		m, changed := store.Get()
		l.say(l.follow(m))
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-time.After(lookEvery):
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(changeEvery):
		}
	}
}

// follow shows the state of m.
func (l *Light) follow(m state.Machine) error {
	at, signal := findLED(l.Sys, l.Board), Decide(m)
	if at == "" || at == l.at && signal == l.shown {
		l.at = at
		return nil
	}
	var problem error
	if !l.loaded {
		l.loaded = true
		problem = l.LoadModules(TriggerModules...) // in a kernel where it is built in, the LED blinks all the same
	}
	if err := at.show(rhythms[signal]); err != nil {
		return err
	}
	l.at, l.shown = at, signal
	return problem
}

// say logs what is wrong, once.
func (l *Light) say(problem error) {
	text := ""
	if problem != nil {
		text = problem.Error()
	}
	if text != l.said && text != "" {
		l.Log.Info("LED", "error", text)
	}
	l.said = text
}
