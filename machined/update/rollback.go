package update

import (
	"context"
	"errors"
	"fmt"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/machined/storage/direct"
)

// Rollback has the other slot tried again, if it is whole.
func (u *Updater) Rollback(ctx context.Context, o Options) (Result, error) {
	end, err := u.begin()
	if err != nil {
		return Result{}, err
	}
	defer end()
	r := Result{Slot: u.idle(), Reboot: !o.Stage}
	p, size, err := u.open(r.Slot)
	if err != nil {
		return r, err
	}
	defer p.Close()
	rec, err := record.Read(p, size)
	if errors.Is(err, record.ErrNone) {
		return r, fmt.Errorf("slot %s holds no version that could be gone back to", r.Slot)
	}
	if err != nil {
		return r, err
	}
	r.Version, r.Digest = rec.Version, rec.Digest
	hash, err := direct.Hash(ctx, p, rec.Size, func(uint64) {})
	if err != nil {
		return r, err
	}
	if hash != rec.Hash {
		u.mu.Lock()
		u.damaged = map[string]string{r.Slot: "it is not what was written to it"}
		u.mu.Unlock()
		return r, fmt.Errorf("slot %s is damaged: what is read from it is not version %s as it was written; upgrade to that version instead", r.Slot, rec.Version)
	}
	u.Log.Warn(fmt.Sprintf("%s goes back to version %s in slot %s", o.By, r.Version, r.Slot))
	return r, u.arm(ctx, r.Slot, o, func(Progress) {})
}

// Cancel takes back what is staged or scheduled, and says what that was.
func (u *Updater) Cancel() (what string, err error) {
	end, err := u.begin()
	if err != nil {
		return "", err
	}
	defer end()
	s, _, err := u.Environment.Read()
	if err != nil {
		return "", err
	}
	if s.Try != "" {
		if err := u.Environment.Write(grubenv.State{Active: u.Boot.Slot}); err != nil {
			return "", err
		}
		return "staged", u.updateRecord(s.Try, func(r *record.Record) { r.Phase = record.Written })
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.memory.Scheduled == nil {
		return "", errors.New("no upgrade is staged or scheduled")
	}
	u.memory.Scheduled = nil
	return "scheduled", u.save()
}
