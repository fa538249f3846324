// Package health tells PID 1 that machined is well, while its loops turn. When one hangs, init stops feeding the
// watchdog, and the machine starts again.
package health

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coracle-os/coracle/init/control"
)

// every is how often init is told; it wants to hear something every 5 s.
const every = 2 * time.Second

// Monitor watches loops.
type Monitor struct {
	mu    sync.Mutex
	loops map[string]*loop
}

type loop struct {
	last  time.Time
	limit time.Duration
}

// NewMonitor returns a monitor of nothing.
func NewMonitor() *Monitor { return &Monitor{loops: map[string]*loop{}} }

// Loop adds a loop that promises to call beat at least every limit.
func (m *Monitor) Loop(name string, limit time.Duration) (beat func()) {
	l := &loop{last: time.Now(), limit: limit}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loops[name] = l
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		l.last = time.Now()
	}
}

// Hung lists the loops that broke their promise.
func (m *Monitor) Hung() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name, l := range m.loops {
		if time.Since(l.last) > l.limit {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Run sends "healthy" to init while all loops turn, until ctx ends. w gets one message a Write.
func (m *Monitor) Run(ctx context.Context, w io.Writer, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	said := ""
	for {
		hung := strings.Join(m.Hung(), ", ")
		if hung == "" {
			if _, err := io.WriteString(w, control.Healthy); err != nil {
				log.Error("tell init that machined is healthy", "error", err)
			}
		}
		if hung != said && hung != "" {
			log.Error("a part of machined hangs; the watchdog restarts the machine if it stays so", "part", hung)
		}
		said = hung
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
