package fleet

import (
	"time"

	"github.com/coracle-os/coracle/machined/config/window"
)

// open is whether machines may begin to be upgraded at a time; if not, next is when. A nil window is always open.
func (w *Window) open(now time.Time) (open bool, next time.Time) {
	if w == nil {
		return true, time.Time{}
	}
	from, until := window.Window{Days: w.Days, Start: w.Start, Length: w.Duration.Duration}.Next(now)
	if until.IsZero() { // not with what the API takes
		return false, now.AddDate(0, 0, 7)
	}
	return !from.After(now), from
}
