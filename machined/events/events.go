// Package events remembers what has happened on the machine, in memory: the last few hundred things that a person who
// looks for a cause wants to know.
package events

import (
	"strings"
	"sync"
	"time"

	"github.com/coracle-os/coracle/machined/state"
)

// Kind is what an event is about.
type Kind string

const (
	Condition Kind = "condition" // something is wrong, or no longer
	Config    Kind = "config"    // the machine config was changed
	Service   Kind = "service"   // a program ended, or was restarted
	Power     Kind = "power"     // the machine goes down
	API       Kind = "api"       // callers who may not call
	Upgrade   Kind = "upgrade"   // another version was installed
	Install   Kind = "install"   // the system was copied to another disk
	Token     Kind = "token"     // a token with which agents join was made or deleted
)

// Event is something that happened.
type Event struct {
	Time     time.Time
	Kind     Kind
	Severity state.Severity
	Message  string
	By       string // name of the caller's key, when one is the cause
}

// keep is how many events are remembered.
const keep = 500

// maxMessage bounds an event's text, in bytes: all of them together stay small.
const maxMessage = 1000

// Log is the events. Its methods may be called from several goroutines. The zero value is an empty one.
type Log struct {
	mu      sync.Mutex
	events  []Event       // the last ones, oldest first
	added   uint64        // how many there ever were
	changed chan struct{} // closed when there is another; nil: nobody waits
}

// Add remembers an event. Its time, when not set, is now.
func (l *Log) Add(e Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if len(e.Message) > maxMessage {
		e.Message = e.Message[:maxMessage] + "…"
	}
	e.Message = strings.ToValidUTF8(e.Message, "?")
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.events) == keep {
		copy(l.events, l.events[1:])
		l.events = l.events[:keep-1]
	}
	l.events = append(l.events, e)
	l.added++
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// After returns the events that are remembered of those after the first n, how many there were in all, which is the n of
// the next call, and a channel that is closed when there is another.
func (l *Log) After(n uint64) (list []Event, all uint64, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	count := min(l.added-min(n, l.added), uint64(len(l.events)))
	list = append(list, l.events[uint64(len(l.events))-count:]...)
	return list, l.added, l.changed
}
