package console

import (
	"context"
	"time"

	"github.com/coracle-os/coracle/machined/state"
)

// Announce says what changes until ctx ends.
func Announce(ctx context.Context, store *state.Store, say func(Line), beat func()) {
	var old state.Machine
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		beat()
		m, changed := store.Get()
		for _, line := range Changes(old, m) {
			say(line)
		}
		old = m
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}
