package api

import (
	"context"
	"errors"
	"io"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/update"
)

// Upgrader brings other versions onto the machine. Errors of type [update.Refusal] go to the caller.
type Upgrader interface {
	Install(ctx context.Context, s update.Source, o update.Options, report func(update.Progress)) (update.Result, error)
	// Pull installs what is at an address; at a time, if that is not zero: then it only remembers that.
	Pull(ctx context.Context, source string, at time.Time, o update.Options, report func(update.Progress)) (update.Result, error)
	Rollback(ctx context.Context, o update.Options) (update.Result, error)
	Cancel() (what string, err error)
	Status() (update.Status, error)
}

// uploadSilence is how long the caller of an upload may send nothing.
const uploadSilence = time.Minute

// upgrading runs what changes the slots, and gives its errors a kind.
func (s service) upgrading(ctx context.Context, r *machinepb.UpgradeOptions, do func(update.Options) error) error {
	if s.Backend.Upgrade == nil {
		return noBackend
	}
	if r.GetForce() {
		if err := needs(ctx, types.Admin, "to force an upgrade"); err != nil {
			return err
		}
	}
	err := do(update.Options{Stage: r.GetStage(), Force: r.GetForce(), By: callerOf(ctx).by()})
	_, refused := errors.AsType[*update.Refusal](err)
	switch {
	case err == nil:
		return nil
	case refused:
		return connect.NewError(connect.CodeFailedPrecondition, err)
	case errors.Is(err, update.ErrBusy), errors.Is(err, update.ErrOnTrial):
		return connect.NewError(connect.CodeAborted, err)
	case errors.Is(err, update.ErrNoDisk):
		return connect.NewError(connect.CodeUnimplemented, err)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	s.Log.Error("upgrade", "error", err)
	return connect.NewError(connect.CodeUnknown, err)
}

// installed notes an upgrade that was installed.
func (s service) installed(ctx context.Context, r update.Result) {
	what := "version " + r.Version + " is in slot " + r.Slot
	if r.Reboot {
		what += ", and the machine restarts into it"
	}
	s.Backend.Events.Add(events.Event{Kind: events.Upgrade, Severity: state.Info, Message: what, By: callerOf(ctx).by()})
}

// UploadUpgrade installs an artifact that the caller sends.
func (s service) UploadUpgrade(ctx context.Context, stream *connect.ClientStream[machinepb.UploadUpgradeRequest]) (*connect.Response[machinepb.UploadUpgradeResponse], error) {
	if control := controlOf(ctx); control != nil {
		control.SetWriteDeadline(time.Time{}) // the answer comes when the slot is written
	}
	up := &upload{stream: stream, ctx: ctx}
	if err := up.next(); err != nil {
		return nil, err
	}
	var result update.Result
	err := s.upgrading(ctx, stream.Msg().Options, func(o update.Options) (err error) {
		result, err = s.Backend.Upgrade.Install(ctx, update.Stream{Reader: up}, o, func(update.Progress) {})
		return err
	})
	if err != nil {
		return nil, err
	}
	s.installed(ctx, result)
	return connect.NewResponse(&machinepb.UploadUpgradeResponse{Result: toUpgradeResult(result)}), nil
}

// upload is the data of an upload's messages.
type upload struct {
	stream *connect.ClientStream[machinepb.UploadUpgradeRequest]
	ctx    context.Context
	left   []byte
}

// next receives a message.
func (u *upload) next() error {
	control := controlOf(u.ctx)
	if control != nil {
		control.SetReadDeadline(time.Now().Add(uploadSilence))
		defer control.SetReadDeadline(time.Time{})
	}
	if !u.stream.Receive() {
		if err := u.stream.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	u.left = u.stream.Msg().Data
	return nil
}

func (u *upload) Read(p []byte) (int, error) {
	for len(u.left) == 0 {
		if err := u.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, u.left)
	u.left = u.left[n:]
	return n, nil
}

// PullUpgrade installs an artifact that the machine fetches.
func (s service) PullUpgrade(ctx context.Context, r *connect.Request[machinepb.PullUpgradeRequest], stream *connect.ServerStream[machinepb.PullUpgradeResponse]) error {
	at := time.Time{}
	if r.Msg.At != nil {
		at = r.Msg.At.AsTime()
	}
	var result update.Result
	last, step := time.Time{}, ""
	err := s.upgrading(ctx, r.Msg.Options, func(o update.Options) (err error) {
		result, err = s.Backend.Upgrade.Pull(ctx, r.Msg.Source, at, o, func(p update.Progress) {
			if now := time.Now(); p.Step != step || now.Sub(last) >= time.Second {
				last, step = now, p.Step
				stream.Send(&machinepb.PullUpgradeResponse{Progress: toUpgradeProgress(p)}) // who went away is noticed by ctx
			}
		})
		return err
	})
	if err != nil || !at.IsZero() {
		return err
	}
	s.installed(ctx, result)
	return stream.Send(&machinepb.PullUpgradeResponse{Result: toUpgradeResult(result)})
}

// Rollback has the version in the other slot tried again.
func (s service) Rollback(ctx context.Context, r *connect.Request[machinepb.RollbackRequest]) (*connect.Response[machinepb.RollbackResponse], error) {
	var result update.Result
	err := s.upgrading(ctx, &machinepb.UpgradeOptions{Stage: r.Msg.Stage}, func(o update.Options) (err error) {
		result, err = s.Backend.Upgrade.Rollback(ctx, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.installed(ctx, result)
	return connect.NewResponse(&machinepb.RollbackResponse{Result: toUpgradeResult(result)}), nil
}

// CancelUpgrade takes back what is staged or scheduled.
func (s service) CancelUpgrade(ctx context.Context, _ *connect.Request[machinepb.CancelUpgradeRequest]) (*connect.Response[machinepb.CancelUpgradeResponse], error) {
	var what string
	err := s.upgrading(ctx, nil, func(update.Options) (err error) {
		what, err = s.Backend.Upgrade.Cancel()
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Backend.Events.Add(events.Event{Kind: events.Upgrade, Severity: state.Info, Message: "the upgrade that was " + what + " is cancelled", By: callerOf(ctx).by()})
	return connect.NewResponse(&machinepb.CancelUpgradeResponse{Cancelled: what}), nil
}

// GetUpgrade says how upgrades stand.
func (s service) GetUpgrade(ctx context.Context, _ *connect.Request[machinepb.GetUpgradeRequest]) (*connect.Response[machinepb.GetUpgradeResponse], error) {
	var u update.Status
	err := s.upgrading(ctx, nil, func(update.Options) (err error) {
		u, err = s.Backend.Upgrade.Status()
		return err
	})
	if err != nil {
		return nil, err
	}
	answer := &machinepb.GetUpgradeResponse{Last: toOutcome(u.Last)}
	for _, slot := range u.Slots {
		answer.Slots = append(answer.Slots, &machinepb.Slot{
			Name: slot.Name, Version: text(slot.Version), Kubernetes: text(slot.Kubernetes), Digest: text(slot.Digest), State: slot.State,
			Active: slot.Active, Reason: text(slot.Reason),
		})
	}
	if u.Remaining > 0 {
		answer.TrialRemaining = durationpb.New(u.Remaining)
	}
	for _, refused := range u.Refused {
		answer.Refused = append(answer.Refused, toOutcome(&update.Outcome{
			Version: refused.Version, Digest: refused.Digest, Result: update.ResultRolledBack, Reason: refused.Reason, Time: refused.Time,
		}))
	}
	if u.Scheduled != nil {
		answer.Scheduled = &machinepb.ScheduledUpgrade{Source: text(u.Scheduled.Source), At: timestamp(u.Scheduled.At), By: u.Scheduled.By}
	}
	if u.Progress != nil {
		answer.Progress = toUpgradeProgress(*u.Progress)
	}
	return connect.NewResponse(answer), nil
}

func toOutcome(o *update.Outcome) *machinepb.UpgradeOutcome {
	if o == nil {
		return nil
	}
	return &machinepb.UpgradeOutcome{
		Version: text(o.Version), Digest: text(o.Digest), From: text(o.From), Result: o.Result, Reason: text(o.Reason), Time: timestamp(o.Time),
	}
}

func toUpgradeResult(r update.Result) *machinepb.UpgradeResult {
	return &machinepb.UpgradeResult{
		Version: r.Version, Digest: r.Digest, Slot: r.Slot, SignedBy: r.SignedBy, Overridden: r.Overridden, Reboot: r.Reboot,
		FetchedBytes: r.Fetched, SavedBytes: r.Saved,
	}
}

func toUpgradeProgress(p update.Progress) *machinepb.UpgradeProgress {
	return &machinepb.UpgradeProgress{Step: p.Step, DoneBytes: p.Done, TotalBytes: p.Total, FetchedBytes: p.Fetched, SavedBytes: p.Saved}
}

// toUpgradeStatus is what the machine's status has of it.
func toUpgradeStatus(u state.Upgrade) *machinepb.UpgradeStatus {
	s := &machinepb.UpgradeStatus{Last: toOutcome(u.Last)}
	if !u.TrialUntil.IsZero() {
		s.TrialRemaining = durationpb.New(max(0, time.Until(u.TrialUntil)))
	}
	return s
}
