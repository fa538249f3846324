package update

import (
	"errors"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/config/window"
)

// Window is the start of the window in which the machine looks for an upgrade by itself, and whether it is open. Without a source it
// never is.
func Window(u types.Upgrade, now time.Time) (from time.Time, open bool) {
	if u.Source == "" {
		return time.Time{}, false
	}
	w := u.Window
	from, _ = window.Window{Days: w.Days, Start: w.Start, Length: time.Duration(w.Duration)}.Next(now)
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
