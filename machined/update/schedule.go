package update

import (
	"slices"
	"time"

	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/types"
)

// nextWindow is when the window is open next: from then, or from now on if it is open, until its end. w was validated.
func nextWindow(w types.Window, now time.Time) (from, to time.Time) {
	now = now.UTC()
	start, _ := time.Parse("15:04", w.Start)
	// A window of yesterday may still be open.
	for day := -1; ; day++ {
		from = time.Date(now.Year(), now.Month(), now.Day()+day, start.Hour(), start.Minute(), 0, 0, time.UTC)
		to = from.Add(time.Duration(w.Duration))
		onDay := len(w.Days) == 0 || slices.Contains(w.Days, config.Weekdays[from.Weekday()])
		if onDay && to.After(now) {
			return from, to
		}
	}
}
