// Package window is about the hours of a week in which machines may be upgraded, in UTC.
package window

import (
	"slices"
	"time"
)

// Days are the names of days, from Sunday on, as [time.Weekday] counts.
var Days = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Window is open for a while each day, or on some days of the week.
type Window struct {
	Days   []string // of Days, on which it opens; none: every day
	Start  string   // hours and minutes, such as 02:00
	Length time.Duration
}

// IsStart reports whether a window can start at text.
func IsStart(text string) bool {
	_, err := time.Parse("15:04", text)
	return err == nil
}

// Next is when the window is open next, or is open at now: until is after now. Both are zero when it never is, which no valid
// window is.
func (w Window) Next(now time.Time) (from, until time.Time) {
	now = now.UTC()
	start, _ := time.Parse("15:04", w.Start)
	for day := -1; day <= 7; day++ { // one of yesterday may still be open
		from = time.Date(now.Year(), now.Month(), now.Day()+day, start.Hour(), start.Minute(), 0, 0, time.UTC)
		until = from.Add(w.Length)
		if until.After(now) && (len(w.Days) == 0 || slices.Contains(w.Days, Days[from.Weekday()])) {
			return from, until
		}
	}
	return time.Time{}, time.Time{}
}
