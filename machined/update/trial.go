package update

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
)

// ErrGivenUp is that the version on trial is given up at its start: the machine restarts, and kube must not be started.
var ErrGivenUp = errors.New("the version on trial is given up")

// Recover finds out how an upgrade went that was under way when the machine restarted, and puts what a power cut left
// in between in order. It is called once, before kube starts. The outcome is nil if nothing ended with this boot.
func (u *Updater) Recover(ctx context.Context, sinceKernel time.Duration) (*Outcome, error) {
	if u.Boot.Disk == "" {
		return nil, nil
	}
	u.installing.Lock()
	defer u.installing.Unlock()
	var problems []error
	if u.Dir != "" {
		m, err := load(u.Dir)
		problems = append(problems, err)
		u.mu.Lock()
		u.memory = m
		u.mu.Unlock()
	}
	env, whole, err := u.Environment.Read()
	problems = append(problems, err)
	if err != nil && !u.Boot.Trial {
		return nil, errors.Join(problems...)
	}
	readable := err == nil
	own, err := u.readRecord(u.Boot.Slot)
	problems = append(problems, err)
	other, err := u.readRecord(u.idle())
	problems = append(problems, err)

	var ended *Outcome
	var kept error // of ended; while it is not kept, what it is known from stays as it is
	what := settle(u.Boot.Slot, u.Boot.Trial, env, whole, own, other)
	switch what {
	case onTrial:
		return nil, errors.Join(append(problems, u.resume(own, other, readable && !whole, sinceKernel))...)
	case wasConfirmed:
		if ended, kept = u.outcome(own, ResultConfirmed, ""); kept == nil {
			problems = append(problems, u.updateRecord(u.Boot.Slot, func(r *record.Record) { r.Phase = record.Confirmed }))
		}
	case rolledBack:
		why := reason(u.idle(), env, other, u.Boot.WatchdogReset)
		problems = append(problems, u.restoreDatastore())
		// The record goes on to say what happened, but no more that it is under way.
		if ended, kept = u.outcome(other, ResultRolledBack, why); kept == nil {
			problems = append(problems, u.updateRecord(u.idle(), func(r *record.Record) { r.Phase, r.Reason = record.Written, why }))
		}
	case fellBack:
		other.From, other.Version = u.Release.Version, cmp.Or(other.Version, "in slot "+u.idle())
		other.Digest = "" // it was good: to install it again is the remedy
		if ended, kept = u.outcome(other, ResultRolledBack, damagedSlot); kept == nil {
			problems = append(problems, u.updateRecord(u.idle(), func(r *record.Record) { r.Phase, r.Reason = record.Written, damagedSlot }))
		}
	case neverTried:
		u.Log.Warn(fmt.Sprintf("version %s in slot %s is not tried: the power was cut before the boot loader was told", other.Version, u.idle()))
		problems = append(problems, u.updateRecord(u.idle(), func(r *record.Record) { r.Phase = record.Written }))
	}
	if kept != nil {
		return ended, errors.Join(append(problems, kept)...)
	}
	if what != rolledBack && !u.Boot.Trial && u.Dir != "" {
		problems = append(problems, forget(u.Dir)) // the version that runs was confirmed before this boot
	}
	want := grubenv.State{Active: u.Boot.Slot, Try: stillTry(env, u.idle())}
	if env != want || !whole {
		problems = append(problems, u.Environment.Write(want))
	}
	return ended, errors.Join(problems...)
}

// resume goes on with a trial: at its start, and when machined was started again. mend is that the boot loader's state is
// damaged: it would not bring the version before back.
func (u *Updater) resume(own, other record.Record, mend bool, sinceKernel time.Duration) error {
	u.beginTrial(own, sinceKernel)
	var problems []error
	if mend {
		problems = append(problems, u.Environment.Write(grubenv.State{Active: u.idle(), Tried: u.Boot.Slot}))
	}
	if own.Phase != "" && own.Phase != record.Machined && other.Kubernetes != "" {
		// The version before keeps it when it goes down in order; the power may have been cut instead.
		if err := u.keepDatastore(other.Kubernetes, u.Release.Kubernetes); err != nil {
			return errors.Join(append(problems, ErrGivenUp, err, u.giveUp(err.Error()))...)
		}
	}
	return errors.Join(append(problems, u.updateRecord(u.Boot.Slot, func(r *record.Record) { r.Phase = record.Machined }))...)
}

// verdict is what a boot says about an upgrade.
type verdict int

const (
	nothing verdict = iota
	onTrial
	wasConfirmed // by the boot before, which did not come to write it down
	rolledBack
	neverTried // the power was cut before the boot loader was told
	fellBack   // the slot that was good cannot be loaded any more
)

// settle tells from what is written on the disk how an upgrade went. It is asked at every start of machined, also when
// nothing was restarted but machined. whole is whether the boot loader's state is in order; if it is not, env is what the boot
// loader takes it for.
func settle(slot string, trial bool, env grubenv.State, whole bool, own, other record.Record) verdict {
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
	case trial && env.Active == slot && whole && underway(own):
		return wasConfirmed
	case trial:
		return onTrial
	case underway(own) && env.Active == slot:
		return wasConfirmed
	case env.Active != slot && whole:
		return fellBack
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

// outcome writes down how an upgrade ended. An error is that only this start of machined knows.
func (u *Updater) outcome(r record.Record, result, why string) (*Outcome, error) {
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
	if u.Dir == "" {
		return o, nil
	}
	return o, u.save()
}

// defaultDeadline is for a trial whose record cannot be read.
const defaultDeadline = 10 * time.Minute

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
