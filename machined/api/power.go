package api

import (
	"context"
	"fmt"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/state"
)

// Reboot shuts the machine down and starts it again.
func (s service) Reboot(ctx context.Context, _ *connect.Request[machinepb.RebootRequest]) (*connect.Response[machinepb.RebootResponse], error) {
	return connect.NewResponse(&machinepb.RebootResponse{}), s.power(ctx, control.Reboot)
}

// Shutdown shuts the machine down and powers it off.
func (s service) Shutdown(ctx context.Context, _ *connect.Request[machinepb.ShutdownRequest]) (*connect.Response[machinepb.ShutdownResponse], error) {
	return connect.NewResponse(&machinepb.ShutdownResponse{}), s.power(ctx, control.Poweroff)
}

func (s service) power(ctx context.Context, message string) error {
	by := callerOf(ctx).by()
	if err := s.Backend.Power(message, by); err != nil {
		return connect.NewError(connect.CodeUnavailable, err)
	}
	s.Backend.Events.Add(events.Event{Kind: events.Power, Severity: state.Info, Message: message + " was asked for", By: by})
	return nil
}

// Reset takes the machine's config and identity away. The caller shows with its name that he means this machine.
func (s service) Reset(ctx context.Context, r *connect.Request[machinepb.ResetRequest]) (*connect.Response[machinepb.ResetResponse], error) {
	m, _ := s.Backend.Store.Get()
	if r.Msg.Name != m.Name || m.Name == "" {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("name is %q; give the machine's name to show that it is meant", r.Msg.Name))
	}
	if s.Backend.Reset == nil {
		return nil, noBackend
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	by := callerOf(ctx).by()
	if err := s.Backend.Reset(context.WithoutCancel(ctx), ResetOptions{Wipe: r.Msg.WipeData, Shutdown: r.Msg.Shutdown, By: by}); err != nil {
		return nil, err
	}
	s.Backend.Events.Add(events.Event{Kind: events.Power, Severity: state.Warning, Message: "the machine is reset", By: by})
	return connect.NewResponse(&machinepb.ResetResponse{}), nil
}

// GetKubeconfig gives the cluster administrator's kubeconfig.
func (s service) GetKubeconfig(ctx context.Context, _ *connect.Request[machinepb.GetKubeconfigRequest]) (*connect.Response[machinepb.GetKubeconfigResponse], error) {
	if m, _ := s.Backend.Store.Get(); m.Role == string(types.Agent) {
		return nil, failure(connect.CodeFailedPrecondition, "this machine is an agent; its servers have the kubeconfig of the cluster")
	}
	k, err := s.Backend.Kubeconfig(ctx)
	if err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, fmt.Errorf("Kubernetes has none to give yet: %w", err))
	}
	return connect.NewResponse(&machinepb.GetKubeconfigResponse{Kubeconfig: k, Endpoint: s.Backend.Endpoint()}), nil
}
