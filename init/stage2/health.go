package main

import (
	"sync"
	"time"
)

const (
	// healthyFor is how long a "healthy" of machined is good for.
	healthyFor = 30 * time.Second
	// startGrace is how long machined may take after a start to say it for the first time.
	startGrace = 120 * time.Second
)

// health is what is known of machined's health.
type health struct {
	mu    sync.Mutex
	now   func() time.Time
	until time.Time // when it is no longer taken for healthy
	said  bool      // healthy, since the last start that was given a grace
}

func newHealth(now func() time.Time) *health {
	return &health{now: now, until: now().Add(startGrace), said: false}
}

// started notes that machined was started. It gets a new grace only when it was healthy since the last one:
// otherwise one that crashes at every start would be given grace for ever, and the watchdog could not bring the old
// slot back after a bad upgrade.
func (h *health) started() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.said {
		h.said = false
		h.extend(startGrace)
	}
}

// healthy notes that machined said so.
func (h *health) healthy() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = true
	h.until = h.now().Add(healthyFor)
}

func (h *health) extend(d time.Duration) {
	if t := h.now().Add(d); t.After(h.until) {
		h.until = t
	}
}

// ok reports whether the watchdog may be fed.
func (h *health) ok() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now().Before(h.until)
}
