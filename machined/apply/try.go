package apply

import (
	"context"
	"fmt"
	"time"

	"github.com/coracle-os/coracle/machined/config"
)

// trial is a config that is tried. It is nowhere on disk but as prepared, so a reboot or a power cut ends it as its time
// does.
type trial struct {
	plan
	files config.Files
	until time.Time
	timer *time.Timer
}

// try puts the config in force until it is confirmed or its time is over.
func (a *Applier) try(ctx context.Context, files config.Files, p plan) error {
	if err := files.Prepare(p.new.Text); err != nil {
		return fmt.Errorf("the config could not be kept, and is not in force: %w", err)
	}
	if err := a.Machine.Use(ctx, p.new, p.changed); err != nil {
		files.Discard()
		return fmt.Errorf("the config did not take effect, and the one before is in force again: %w", err)
	}
	t := &trial{plan: p, files: files, until: time.Now().Add(p.result.TryFor)}
	t.timer = time.AfterFunc(p.result.TryFor, func() { a.expire(t) })
	a.trying = t
	a.tell(files)
	return nil
}

// expire takes a config back that nobody confirmed.
func (a *Applier) expire(t *trial) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.trying != t {
		return // decided while this waited for the lock
	}
	a.Log.Warn("the config that was tried is taken back: nobody confirmed it in time")
	if err := a.takeBack(t); err != nil {
		a.Log.Error("back to the config before", "error", err)
	}
}

func (a *Applier) takeBack(t *trial) error {
	t.timer.Stop()
	a.trying = nil
	err := a.Machine.Use(context.Background(), t.old, t.changed)
	if discarded := t.files.Discard(); discarded != nil {
		a.Log.Info("discard the config that was tried", "error", discarded)
	}
	a.tell(t.files)
	return err
}

// Confirm keeps the config that is tried.
func (a *Applier) Confirm(by string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.trying
	if t == nil {
		return &Refused{[]string{"no config is being tried; it may have been taken back already"}}
	}
	if err := t.files.Commit(); err != nil {
		return fmt.Errorf("the config could not be kept; it is taken back at its time unless that works: %w", err)
	}
	t.timer.Stop()
	a.trying = nil
	a.Log.Warn(by + " confirmed the config that was tried")
	a.unstage(t.files)
	return nil
}

// Cancel takes back the config that is tried, or else forgets the one that is staged. It says which: try or staged.
func (a *Applier) Cancel(by string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.trying != nil {
		a.Log.Warn(by + " cancelled the config that was tried")
		return string(Try), a.takeBack(a.trying)
	}
	files, err := a.Files()
	if err != nil {
		return "", err
	}
	staged, err := files.Staged()
	if err != nil {
		return "", err
	}
	if staged == nil {
		return "", &Refused{[]string{"no config is being tried, and none is staged"}}
	}
	a.Log.Warn(by + " cancelled the staged config")
	err = files.Unstage()
	a.tell(files)
	return string(Staged), err
}
