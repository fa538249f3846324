package api

import (
	"context"
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/apply"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/state"
)

var modes = map[machinepb.ApplyMode]apply.Mode{
	machinepb.ApplyMode_APPLY_MODE_UNSPECIFIED: apply.Auto, machinepb.ApplyMode_APPLY_MODE_AUTO: apply.Auto,
	machinepb.ApplyMode_APPLY_MODE_NO_REBOOT: apply.NoReboot, machinepb.ApplyMode_APPLY_MODE_STAGED: apply.Staged,
	machinepb.ApplyMode_APPLY_MODE_TRY: apply.Try,
}

// GetConfig gives the config in force.
func (s service) GetConfig(ctx context.Context, r *connect.Request[machinepb.GetConfigRequest]) (*connect.Response[machinepb.GetConfigResponse], error) {
	if r.Msg.Secrets {
		if err := needs(ctx, types.Admin, "a config with its secrets"); err != nil {
			return nil, err
		}
	}
	if s.Backend.Config == nil {
		return nil, noBackend
	}
	f, err := s.Backend.Config.GetConfig(ctx, r.Msg.Secrets)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&machinepb.GetConfigResponse{Config: f.YAML, Digest: f.Digest, Staged: f.Staged}), nil
}

// ApplyConfig makes a config the machine's.
func (s service) ApplyConfig(ctx context.Context, r *connect.Request[machinepb.ApplyConfigRequest]) (*connect.Response[machinepb.ApplyConfigResponse], error) {
	return s.changeTo(ctx, "ApplyConfig", r.Msg.Config, r.Msg, Config.Apply)
}

// PatchConfig changes parts of the config.
func (s service) PatchConfig(ctx context.Context, r *connect.Request[machinepb.PatchConfigRequest]) (*connect.Response[machinepb.ApplyConfigResponse], error) {
	return s.changeTo(ctx, "PatchConfig", r.Msg.Patch, r.Msg, Config.Patch)
}

// how is what the requests of both say about the way to apply.
type how interface {
	GetMode() machinepb.ApplyMode
	GetDryRun() bool
	GetTryFor() *durationpb.Duration
	GetIfDigest() string
}

// toRequest is a request as it is applied.
func toRequest(yaml []byte, h how, who caller) (apply.Request, error) {
	r := apply.Request{Text: yaml, DryRun: h.GetDryRun(), TryFor: h.GetTryFor().AsDuration(), IfDigest: h.GetIfDigest(), First: !who.known, By: who.by()}
	var known bool
	r.Mode, known = modes[h.GetMode()]
	switch {
	case !known:
		return r, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("mode %d does not exist", h.GetMode()))
	case len(yaml) == 0:
		return r, failure(connect.CodeInvalidArgument, "the request has no config in it")
	case len(yaml) > config.MaxSize:
		return r, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("the config has %d bytes, more than %d", len(yaml), config.MaxSize))
	case h.GetTryFor() != nil && r.Mode != apply.Try:
		return r, failure(connect.CodeInvalidArgument, "try_for is for the mode try only")
	}
	return r, nil
}

// changeTo changes the config.
func (s service) changeTo(ctx context.Context, name string, yaml []byte, h how, do func(Config, context.Context, apply.Request) (apply.Result, error)) (*connect.Response[machinepb.ApplyConfigResponse], error) {
	r, err := toRequest(yaml, h, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	var result apply.Result
	err = s.change(ctx, name, func(ctx context.Context) (err error) {
		result, err = do(s.Backend.Config, ctx, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !r.DryRun {
		s.Backend.Events.Add(events.Event{Kind: events.Config, Severity: state.Info, Message: sentence(r.Mode, result), By: r.By})
	}
	return connect.NewResponse(toResult(result)), nil
}

func toResult(r apply.Result) *machinepb.ApplyConfigResponse {
	answer := &machinepb.ApplyConfigResponse{Reboot: r.Reboot, Digest: r.Digest}
	for _, e := range r.Effects {
		answer.Effects = append(answer.Effects, text(e))
	}
	for _, c := range r.Changes {
		answer.Changes = append(answer.Changes, &machinepb.ConfigChange{Path: text(c.Path), Before: text(c.Before), After: text(c.After), TakesEffect: string(c.Needs)})
	}
	if r.TryFor > 0 {
		answer.TryFor = durationpb.New(r.TryFor)
	}
	return answer
}

// sentence is what was done, for the events. Values are not in it.
func sentence(m apply.Mode, r apply.Result) string {
	what := "applied"
	switch m {
	case apply.Staged:
		what = "staged for the next boot"
	case apply.Try:
		what = fmt.Sprintf("tried for %v", r.TryFor)
	}
	if len(r.Changes) == 0 {
		return "a config was " + what + " that changes nothing"
	}
	text := fmt.Sprintf("a config was %s with %d changes:", what, len(r.Changes))
	for _, c := range r.Changes {
		text += " " + c.Path
	}
	return text
}

var noBackend = failure(connect.CodeUnavailable, "the machine cannot do that yet; try again when it has started")

// change lets one caller at a time change the config. It goes on when the caller goes, and looks again at what he may do:
// that may be another than when the call came, as the first config gives the machine its keys.
func (s service) change(ctx context.Context, name string, do func(ctx context.Context) error) error {
	if s.Backend.Config == nil {
		return noBackend
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := ctx.Err(); err != nil { // he has gone while another's change was made
		return err
	}
	who := callerOf(ctx)
	if err := s.permit(byProcedure[procedurePath(name)], who.key, who.shown); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTimeout)
	defer cancel()
	return do(ctx)
}

// ConfirmConfig keeps a config that is being tried.
func (s service) ConfirmConfig(ctx context.Context, _ *connect.Request[machinepb.ConfirmConfigRequest]) (*connect.Response[machinepb.ConfirmConfigResponse], error) {
	by := callerOf(ctx).by()
	err := s.change(ctx, "ConfirmConfig", func(context.Context) error { return s.Backend.Config.Confirm(by) })
	if err != nil {
		return nil, err
	}
	s.Backend.Events.Add(events.Event{Kind: events.Config, Severity: state.Info, Message: "the config that was tried is kept", By: by})
	return connect.NewResponse(&machinepb.ConfirmConfigResponse{}), nil
}

// CancelConfig ends a try, or takes a staged config back.
func (s service) CancelConfig(ctx context.Context, _ *connect.Request[machinepb.CancelConfigRequest]) (*connect.Response[machinepb.CancelConfigResponse], error) {
	by, what := callerOf(ctx).by(), ""
	err := s.change(ctx, "CancelConfig", func(context.Context) (err error) {
		what, err = s.Backend.Config.Cancel(by)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Backend.Events.Add(events.Event{Kind: events.Config, Severity: state.Info, Message: "cancelled: " + what, By: by})
	return connect.NewResponse(&machinepb.CancelConfigResponse{Cancelled: what}), nil
}
