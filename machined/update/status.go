package update

import (
	"slices"
	"time"

	"github.com/coracle-os/coracle/images/slot/record"
)

// States of a slot.
const (
	SlotRunning = "running"
	SlotTrial   = "trial"   // it runs, and is not confirmed yet
	SlotStaged  = "staged"  // it is tried at the next boot
	SlotWhole   = "whole"   // it could be gone back to
	SlotDamaged = "damaged" // it is not what was written
	SlotEmpty   = "empty"   // nothing is known of it: never written, or in part
)

// Slot is what is known of a slot.
type Slot struct {
	Name       string
	Version    string
	Kubernetes string
	Digest     string // of the artifact; empty: it was flashed
	State      string
	Active     bool   // the boot loader takes it
	Reason     string // why it was rolled back, or is damaged
}

// Status is how upgrades stand.
type Status struct {
	Slots     []Slot
	Remaining time.Duration // of a trial; 0: there is none
	Last      *Outcome
	Refused   []Refused
	Scheduled *Scheduled
	Progress  *Progress
}

// Brief is what the machine's status says, without a look at the disk.
func (u *Updater) Brief() (until time.Time, last *Outcome) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.until, u.memory.Last
}

// Confirmed is whether the slot that runs is the one that is booted from now on: nothing is on trial, and the boot loader says so.
func (u *Updater) Confirmed() (bool, error) {
	if u.Boot.Disk == "" || u.onTrial() {
		return false, nil
	}
	env, whole, err := u.Environment.Read()
	return err == nil && whole && env.Active == u.Boot.Slot, err
}

// Status looks at the slots.
func (u *Updater) Status() (Status, error) {
	if u.Boot.Disk == "" {
		return Status{}, ErrNoDisk
	}
	env, _, err := u.Environment.Read()
	if err != nil {
		return Status{}, err
	}
	u.mu.Lock()
	s := Status{Last: u.memory.Last, Refused: slices.Clone(u.memory.Refused), Scheduled: u.memory.Scheduled, Progress: u.progress}
	if !u.until.IsZero() {
		s.Remaining = max(time.Second, time.Until(u.until))
	}
	damaged := u.damaged
	u.mu.Unlock()
	for _, name := range []string{"a", "b"} {
		r, err := u.readRecord(name)
		if err != nil {
			return s, err
		}
		slot := Slot{Name: name, Version: r.Version, Kubernetes: r.Kubernetes, Digest: r.Digest, State: SlotWhole, Active: env.Active == name, Reason: r.Reason}
		switch {
		case name == u.Boot.Slot:
			slot.Version, slot.Kubernetes, slot.State = u.Release.Version, u.Release.Kubernetes, SlotRunning
			if s.Remaining > 0 {
				slot.State = SlotTrial
			}
		case r == record.Record{}:
			slot.State = SlotEmpty
		case damaged[name] != "":
			slot.State, slot.Reason = SlotDamaged, damaged[name]
		case env.Try == name:
			slot.State = SlotStaged
		}
		s.Slots = append(s.Slots, slot)
	}
	return s, nil
}
