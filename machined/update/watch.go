package update

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
)

// Health is what a version on trial is judged by: what is not well, none if all is. It asks the machine only, not the
// network, and not the clock. nodeReady is whether the node has to be Ready.
type Health func(ctx context.Context, nodeReady bool) (problems []string)

// lookEvery is how often a version on trial is looked at.
const lookEvery = 5 * time.Second

// Watch confirms the version that is on trial when it was healthy for long enough, or gives it up. It returns when that is
// done; at once if nothing is on trial.
func (u *Updater) Watch(ctx context.Context, healthy Health, confirmed func(*Outcome)) error {
	until, _ := u.Brief()
	if until.IsZero() {
		return nil
	}
	r, err := u.readRecord(u.Boot.Slot)
	if err != nil {
		u.Log.Error("trial", "error", err)
	}
	t := trial{confirm: time.Duration(r.Confirm) * time.Second, until: until}
	if t.confirm <= 0 {
		t.confirm = shortestConfirm
	}
	for {
		problems := healthy(ctx, r.NodeReady)
		switch t.judge(time.Now(), problems) {
		case good:
			o, err := u.confirm()
			if err != nil {
				return u.giveUp(fmt.Sprintf("it is healthy, but that cannot be written down: %v", err))
			}
			confirmed(o)
			return nil
		case bad:
			return u.giveUp(t.complaint)
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// trial judges a version.
type trial struct {
	confirm   time.Duration
	until     time.Time
	since     time.Time // healthy; zero: it is not
	complaint string
}

type judgement int

const (
	wait judgement = iota
	good
	bad
)

func (t *trial) judge(now time.Time, problems []string) judgement {
	switch {
	case len(problems) > 0:
		t.since = time.Time{}
		t.complaint = "it did not get healthy in time: " + strings.Join(problems, "; ")
	case t.since.IsZero():
		t.since = now
		t.complaint = "it was not healthy for long enough in time"
	}
	switch {
	case !t.since.IsZero() && now.Sub(t.since) >= t.confirm:
		return good
	case now.After(t.until):
		return bad
	}
	return wait
}

// confirm makes the slot that runs the one that is booted. The boot loader is told first: from then on there is no way
// back by itself.
func (u *Updater) confirm() (*Outcome, error) {
	if err := u.Environment.Write(grubenv.State{Active: u.Boot.Slot}); err != nil {
		return nil, err
	}
	u.mu.Lock()
	u.until = time.Time{}
	u.mu.Unlock()
	r, err := u.readRecord(u.Boot.Slot)
	if err != nil {
		u.Log.Error("trial", "error", err)
	}
	o, err := u.outcome(r, ResultConfirmed, "")
	if err == nil {
		err = u.updateRecord(u.Boot.Slot, func(r *record.Record) { r.Phase = record.Confirmed })
	}
	if err != nil {
		u.Log.Error("trial", "error", err) // the next start sees it confirmed all the same
	}
	return o, nil
}

// giveUp restarts the machine into the version before.
func (u *Updater) giveUp(why string) error {
	u.Log.Error("the version on trial is given up: " + why)
	if err := u.updateRecord(u.Boot.Slot, func(r *record.Record) { r.Reason = why }); err != nil {
		u.Log.Error("trial", "error", err)
	}
	return u.restart("the version on trial is given up: " + why)
}
