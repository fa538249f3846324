package boots

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// HealthyFor is how long a boot has to be healthy without a break before it counts as one that got healthy.
const HealthyFor = time.Minute

// Counter counts the boots of a machine in a file. Its methods may be called from several goroutines.
type Counter struct {
	Path string // of the file, on DATA

	mu        sync.Mutex
	begun     bool
	start     Start
	history   History
	unwritten bool      // the file could not be written
	since     time.Time // healthy; zero: it is not
}

// Begin counts a boot. It returns what is known of the boots before, and whether this one is in safe mode, also with an error: a
// disk that cannot be written to starts the machine as well as it can.
func (c *Counter) Begin(s Start) (h History, safe bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var unreadable error
	if !c.begun {
		text, err := os.ReadFile(c.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			unreadable = fmt.Errorf("read how the boots before went: %w", err)
		}
		c.history = parse(text)
	}
	c.begun, c.start = true, s
	err = errors.Join(unreadable, c.keep(c.history.Begin(s)))
	return c.history, c.history.safe(s.ID), err
}

// Safe is whether this boot is in safe mode.
func (c *Counter) Safe() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.history.safe(c.start.ID)
}

// Leave ends safe mode: this boot is the first of a new row.
func (c *Counter) Leave() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.history.safe(c.start.ID) {
		return nil
	}
	return c.keep(c.history.only(Boot{ID: c.start.ID}))
}

// Awaited is whether [Counter.Look] is to be called.
func (c *Counter) Awaited() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.history.open(c.start.ID, c.start.Trial) || c.unwritten
}

// Look takes notice of the machine's health, problems are what is not well, and of how long the kernel has been up. healthy is
// that the boot has become one that got healthy.
func (c *Counter) Look(now time.Time, up time.Duration, problems []string) (healthy bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.history.open(c.start.ID, c.start.Trial) {
		return false, c.keep(c.history)
	}
	h := c.history.note(c.start.ID, up, problems)
	switch {
	case len(problems) > 0:
		c.since = time.Time{}
	case c.since.IsZero():
		c.since = now
	case now.Sub(c.since) >= HealthyFor:
		h, healthy = h.only(Boot{ID: c.start.ID, Healthy: true}), true
	}
	return healthy, c.keep(h)
}

// Ended notes that the boot is ended in order, as somebody asked for.
func (c *Counter) Ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keep(c.history.ended())
}

// keep makes h the history, and writes it down if it is another than what is written. c.mu is held.
func (c *Counter) keep(h History) error {
	if reflect.DeepEqual(h, c.history) && !c.unwritten {
		return nil
	}
	c.history, c.unwritten = h, true
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(c.Path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep how the boots went: %w", err)
	}
	c.unwritten = false
	return nil
}
