package network

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/coracle-os/coracle/machined/config/types"
)

// TestPending: a state from before the last config says so, and who waits is told when there is one of after it.
func TestPending(t *testing.T) {
	m := New(slog.New(slog.DiscardHandler))
	m.resolvConf = filepath.Join(t.TempDir(), "resolv.conf")
	pending := func(want bool) <-chan struct{} {
		t.Helper()
		s, changed := m.State()
		if s.Pending != want {
			t.Errorf("pending: %v, want %v", s.Pending, want)
		}
		return changed
	}
	m.Configure(types.Network{}, "")
	changed := pending(true)
	m.publish(State{}, 1)
	<-changed // though the state is the same
	changed = pending(false)
	m.Configure(types.Network{}, "other")
	pending(true)
	m.publish(State{Hostname: "old"}, 1) // was being found when that came
	<-changed
	changed = pending(true)
	m.publish(State{Hostname: "old"}, 2)
	<-changed
	pending(false)
}
