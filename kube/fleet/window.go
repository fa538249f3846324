package fleet

import (
	"slices"
	"time"
)

// weekdays are the names of days, as [time.Weekday] counts.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// open is whether machines may begin to be upgraded at a time; if not, next is when. A nil window is always open.
func (w *Window) open(now time.Time) (open bool, next time.Time) {
	if w == nil {
		return true, time.Time{}
	}
	now = now.UTC()
	start, _ := time.Parse("15:04", w.Start) // the API has checked it
	for day := -1; day <= 7; day++ {         // one of yesterday may still be open
		from := time.Date(now.Year(), now.Month(), now.Day()+day, start.Hour(), start.Minute(), 0, 0, time.UTC)
		if len(w.Days) > 0 && !slices.Contains(w.Days, weekdays[from.Weekday()]) || !from.Add(w.Duration.Duration).After(now) {
			continue
		}
		return !from.After(now), from
	}
	return false, now.AddDate(0, 0, 7) // not with days that the API takes
}
