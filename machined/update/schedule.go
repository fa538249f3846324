package update

import (
	"errors"
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

// Window is the start of the window in which the machine looks for an upgrade by itself, and whether it is open. Without a source it
// never is.
func Window(u types.Upgrade, now time.Time) (from time.Time, open bool) {
	if u.Source == "" {
		return time.Time{}, false
	}
	from, _ = nextWindow(u.Window, now)
	return from, !from.After(now)
}

// Schedule remembers an upgrade for later, in place of one that was scheduled before.
func (u *Updater) Schedule(s Scheduled) error {
	end, err := u.begin()
	if err != nil {
		return err
	}
	defer end()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.memory.Scheduled = &s
	return u.save()
}

// Due takes what is scheduled, if it is time. It is forgotten then: an upgrade that fails is not tried again by itself.
func (u *Updater) Due(now time.Time) *Scheduled {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.memory.Scheduled
	if s == nil || now.Before(s.At) {
		return nil
	}
	u.memory.Scheduled = nil
	if err := u.save(); err != nil {
		u.Log.Error("scheduled upgrade", "error", err)
	}
	return s
}

// IsRefused is whether err says that an artifact is not taken, which another try would not change.
func IsRefused(err error) bool {
	_, refused := errors.AsType[*Refusal](err)
	return refused
}

// IsOld is whether err says that an artifact is of the version that runs, or an older one.
func IsOld(err error) bool {
	r, refused := errors.AsType[*Refusal](err)
	return refused && (r.Check == "version" || r.Check == "running version")
}
