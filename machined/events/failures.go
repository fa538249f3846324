package events

import (
	"fmt"
	"sync"
	"time"

	"github.com/coracle-os/coracle/machined/state"
)

// quiet is how long further failures of callers are only counted.
const quiet = time.Minute

// Failures makes few events of many failures: the first is one at once, those of the minute after it are one together.
// The zero value but for Log is ready.
type Failures struct {
	Log *Log

	mu    sync.Mutex
	timer *time.Timer // runs while failures are counted
	more  int         // so many since the last event
	last  string
}

// Add counts a failure. why says who failed at what.
func (f *Failures) Add(why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer != nil {
		f.more, f.last = f.more+1, why
		return
	}
	f.Log.Add(Event{Kind: API, Severity: state.Warning, Message: why})
	f.timer = time.AfterFunc(quiet, f.flush)
}

// flush says how many there were. It goes on to count while there are any.
func (f *Failures) flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.more == 0 {
		f.timer = nil
		return
	}
	f.Log.Add(Event{Kind: API, Severity: state.Warning, Message: fmt.Sprintf("%d more callers were refused within %v, the last: %s", f.more, quiet, f.last)})
	f.more = 0
	f.timer.Reset(quiet)
}
