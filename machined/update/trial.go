package update

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
)

// Recover finds out how an upgrade went that was under way when the machine restarted, and puts what a power cut left
// in between in order. It is called once, before kube starts. The outcome is nil if nothing ended with this boot.
func (u *Updater) Recover(ctx context.Context, sinceKernel time.Duration) (*Outcome, error) {
	if u.Boot.Disk == "" {
		return nil, nil
	}
	var problems []error
	if u.Dir != "" {
		var err error
		if u.memory, err = load(u.Dir); err != nil {
			problems = append(problems, err)
		}
	}
	env, whole, err := u.Environment.Read()
	if err != nil {
		return nil, errors.Join(append(problems, err)...)
	}
	own, err := u.readRecord(u.Boot.Slot)
	problems = append(problems, err)
	other, err := u.readRecord(u.idle())
	problems = append(problems, err)

	var ended *Outcome
	switch what := settle(u.Boot.Slot, u.Boot.Trial, env, own, other); what {
	case onTrial:
		u.beginTrial(own, sinceKernel)
		problems = append(problems, u.updateRecord(u.Boot.Slot, func(r *record.Record) { r.Phase = record.Machined }))
		return nil, errors.Join(problems...)
	case wasConfirmed:
		ended = u.outcome(own, ResultConfirmed, "")
		problems = append(problems, u.updateRecord(u.Boot.Slot, func(r *record.Record) { r.Phase = record.Confirmed }))
	case rolledBack:
		why := reason(u.idle(), env, other, u.Boot.WatchdogReset)
		problems = append(problems, u.restoreDatastore(other))
		ended = u.outcome(other, ResultRolledBack, why)
		// The record goes on to say what happened, but no more that it is under way.
		problems = append(problems, u.updateRecord(u.idle(), func(r *record.Record) { r.Phase, r.Reason = record.Written, why }))
	case neverTried:
		problems = append(problems, u.updateRecord(u.idle(), func(r *record.Record) { r.Phase = record.Written }))
	}
	want := grubenv.State{Active: u.Boot.Slot, Try: stillTry(env, u.idle())}
	if env != want || !whole {
		problems = append(problems, u.Environment.Write(want))
	}
	return ended, errors.Join(problems...)
}

// verdict is what a boot says about an upgrade.
type verdict int

const (
	nothing verdict = iota
	onTrial
	wasConfirmed // by the boot before, which did not come to write it down
	rolledBack
	neverTried // the power was cut before the boot loader was told
)

// settle tells from what is written on the disk how an upgrade went. It is asked at every start of machined, also when
// nothing was restarted but machined.
func settle(slot string, trial bool, env grubenv.State, own, other record.Record) verdict {
	underway := func(r record.Record) bool {
		switch r.Phase {
		case record.Armed, record.Kernel, record.Root, record.Init, record.Machined:
			return true
		}
		return false
	}
	switch {
	case trial && env.Active == slot && own.Phase == record.Confirmed:
		return nothing // machined was started again
	case trial && env.Active == slot && underway(own):
		return wasConfirmed
	case trial:
		return onTrial
	case underway(own) && env.Active == slot:
		return wasConfirmed
	case !underway(other) || env.Try == slotOther(slot):
		return nothing
	case other.Phase == record.Armed && env.Tried != slotOther(slot):
		return neverTried
	}
	return rolledBack
}

func slotOther(slot string) string {
	if slot == "a" {
		return "b"
	}
	return "a"
}

// stillTry is the try that was staged and has not had its boot yet.
func stillTry(env grubenv.State, idle string) string {
	if env.Try == idle {
		return idle
	}
	return ""
}

// outcome writes down how an upgrade ended.
func (u *Updater) outcome(r record.Record, result, why string) *Outcome {
	o := &Outcome{Version: r.Version, Digest: r.Digest, From: r.From, Result: result, Reason: why, Time: time.Now().UTC()}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.memory.Last = o
	switch {
	case r.Digest == "": // as flashed
	case result == ResultRolledBack:
		u.memory.refuse(Refused{r.Digest, r.Version, why, o.Time})
	default:
		u.memory.accept(r.Digest)
	}
	if u.Dir != "" {
		if err := u.memory.save(u.Dir); err != nil {
			u.Log.Error("what is known of upgrades", "error", err)
		}
	}
	return o
}

// Defaults for a trial whose record cannot be read.
const (
	defaultDeadline = 10 * time.Minute
)

// shortestConfirm is for a record that does not say how long a version must be healthy.
var shortestConfirm = time.Minute

func (u *Updater) beginTrial(r record.Record, sinceKernel time.Duration) {
	deadline := time.Duration(r.Deadline) * time.Second
	if deadline <= 0 {
		deadline = defaultDeadline
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.until = time.Now().Add(deadline - sinceKernel)
}

// Health is what a version on trial is judged by: what is not well, none if all is. It asks the machine only, not the
// network, and not the clock. nodeReady is whether the node has to be Ready.
type Health func(ctx context.Context, nodeReady bool) (problems []string)

// lookEvery is how often a version on trial is looked at.
const lookEvery = 5 * time.Second

// Watch confirms the version that is on trial when it was healthy for long enough, or gives it up. It returns when that is done;
// at once if nothing is on trial. beat is called at least every few seconds.
func (u *Updater) Watch(ctx context.Context, healthy Health, confirmed func(*Outcome)) error {
	if !u.onTrial() {
		return nil
	}
	r, err := u.readRecord(u.Boot.Slot)
	if err != nil {
		u.Log.Error("trial", "error", err)
	}
	t := trial{confirm: time.Duration(r.Confirm) * time.Second, until: u.until}
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
	if err := u.updateRecord(u.Boot.Slot, func(r *record.Record) { r.Phase = record.Confirmed }); err != nil {
		u.Log.Error("trial", "error", err) // the next start sees it confirmed all the same
	}
	return u.outcome(r, ResultConfirmed, ""), nil
}

// giveUp restarts the machine into the version before.
func (u *Updater) giveUp(why string) error {
	u.Log.Error("the version on trial is given up: " + why)
	if err := u.updateRecord(u.Boot.Slot, func(r *record.Record) { r.Reason = why }); err != nil {
		u.Log.Error("trial", "error", err)
	}
	return u.Restart("the version on trial is given up: " + why)
}
