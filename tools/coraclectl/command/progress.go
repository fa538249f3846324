package command

import (
	"fmt"
	"sync"
	"time"

	"github.com/coracle-os/coracle/tools/coraclectl/output"
)

// progress is one line on the terminal that says how far something is. Where there is no terminal it says nothing.
type progress struct {
	a     *app
	title string
	on    bool

	mu   sync.Mutex
	last time.Time
}

const redraw = 200 * time.Millisecond

func (a *app) progress(title string) *progress {
	return &progress{a: a, title: title, on: output.IsTerminal(a.Err) && !a.several()}
}

func (p *progress) show(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.on && now.Sub(p.last) >= redraw {
		p.last = now
		fmt.Fprintf(p.a.Err, "\r%s: %s\x1b[K", p.title, fmt.Sprintf(format, args...))
	}
}

// done takes the line away.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on && !p.last.IsZero() {
		fmt.Fprint(p.a.Err, "\r\x1b[K")
	}
}
