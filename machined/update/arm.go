package update

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/machined/storage/direct"
)

// makeRoom takes the idle slot out of the boot loader's choice, before it is overwritten.
func (u *Updater) makeRoom(idle string) error {
	s, whole, err := u.Environment.Read()
	if err != nil {
		return err
	}
	if want := (grubenv.State{Active: u.Boot.Slot}); s != want || !whole {
		return u.Environment.Write(want)
	}
	return nil
}

// arm has the other slot tried at the next boot, and restarts the machine unless it is only staged.
func (u *Updater) arm(ctx context.Context, slot string, o Options, tell func(Progress)) error {
	settings := u.Settings()
	if err := u.recordRunning(ctx); err != nil {
		return err
	}
	target, err := u.readRecord(slot)
	if err != nil {
		return err
	}
	if err := u.keepConfig(target.Version); err != nil {
		return err
	}
	// What was kept before an earlier trial would be put back after this one.
	if err := dropSnapshot(u.Dir, u.Database); err != nil {
		return fmt.Errorf("forget the datastore that was kept before: %w", err)
	}
	err = u.updateRecord(slot, func(r *record.Record) {
		r.Phase, r.Reason, r.From = record.Armed, "", u.Release.Version
		r.Deadline, r.Confirm = int(settings.Deadline/time.Second), int(settings.Confirm/time.Second)
		r.NodeReady = u.NodeReady()
	})
	if err != nil {
		return err
	}
	if err := u.Environment.Write(grubenv.State{Active: u.Boot.Slot, Try: slot}); err != nil {
		return err
	}
	if o.Stage {
		u.Log.Warn("slot " + slot + " is tried at the next boot")
		return nil
	}
	u.drain(ctx, cmp.Or(o.Drain, settings.Drain), tell)
	tell(Progress{Step: StepReboot})
	err = u.restart(o.By + " upgrades it")
	if err != nil && u.Uncordon != nil {
		u.Uncordon()
	}
	return err
}

// restart takes the machine down.
func (u *Updater) restart(why string) error {
	if err := u.Restart(why); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.restarting = true
	return nil
}

// recordRunning gives the slot that runs a record if it was flashed, so that a way back to it can be checked.
func (u *Updater) recordRunning(ctx context.Context) error {
	p, size, err := u.open(u.Boot.Slot)
	if err != nil {
		return err
	}
	defer p.Close()
	if _, err := record.Read(p, size); !errors.Is(err, record.ErrNone) {
		return err
	}
	hash, err := direct.Hash(ctx, p, u.Boot.ImageSize, func(uint64) {})
	if err != nil {
		return err
	}
	return record.Write(p, size, record.Record{
		Version: u.Release.Version, Kubernetes: u.Release.Kubernetes, Size: u.Boot.ImageSize, Hash: hash, Phase: record.Confirmed,
	})
}

// updateRecord changes the record of a slot, if it has one.
func (u *Updater) updateRecord(slot string, change func(*record.Record)) error {
	p, size, err := u.open(slot)
	if err != nil {
		return err
	}
	defer p.Close()
	r, err := record.Read(p, size)
	if errors.Is(err, record.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	change(&r)
	return record.Write(p, size, r)
}

// readRecord is the record of a slot; the zero Record if it has none.
func (u *Updater) readRecord(slot string) (record.Record, error) {
	p, size, err := u.open(slot)
	if err != nil {
		return record.Record{}, err
	}
	defer p.Close()
	r, err := record.Read(p, size)
	if errors.Is(err, record.ErrNone) {
		err = nil
	}
	return r, err
}
