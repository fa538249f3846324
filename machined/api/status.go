package api

import (
	"context"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/state"
)

// watchPause is the shortest time between two messages of a stream that follows the state: a machine that starts changes
// it many times a second.
const watchPause = 250 * time.Millisecond

// GetVersion says what runs. Strangers learn the version and the fingerprint, no more.
func (s service) GetVersion(ctx context.Context, _ *connect.Request[machinepb.GetVersionRequest]) (*connect.Response[machinepb.GetVersionResponse], error) {
	m, _ := s.Backend.Store.Get()
	r := s.Backend.Release
	v := &machinepb.GetVersionResponse{Version: r.Version, Fingerprint: m.API.Fingerprint}
	if s.known(ctx) {
		v.Kubernetes, v.Kernel, v.Arch = r.Kubernetes, r.Kernel, r.Arch
	}
	return connect.NewResponse(v), nil
}

// GetStatus says how the machine is doing.
func (s service) GetStatus(context.Context, *connect.Request[machinepb.GetStatusRequest]) (*connect.Response[machinepb.GetStatusResponse], error) {
	m, _ := s.Backend.Store.Get()
	return connect.NewResponse(&machinepb.GetStatusResponse{Status: toStatus(m)}), nil
}

// WatchStatus sends the status at first and when it has changed.
func (s service) WatchStatus(ctx context.Context, _ *connect.Request[machinepb.WatchStatusRequest], stream *connect.ServerStream[machinepb.WatchStatusResponse]) error {
	var last *machinepb.Status
	return s.watch(ctx, func(m state.Machine) (done bool, err error) {
		status := toStatus(m)
		if last != nil && proto.Equal(last, status) {
			return false, nil
		}
		last = status
		return false, stream.Send(&machinepb.WatchStatusResponse{Status: status})
	})
}

// watch calls f with the state, and again when it has changed, until f is done or ctx ends.
func (s service) watch(ctx context.Context, f func(state.Machine) (done bool, err error)) error {
	for {
		m, changed := s.Backend.Store.Get()
		if done, err := f(m); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(watchPause):
		}
	}
}

// toStatus is the state as it is sent.
func toStatus(m state.Machine) *machinepb.Status {
	s := &machinepb.Status{
		Name: m.Name, MachineId: m.MachineID, Role: m.Role, Version: m.Version, Kubernetes: m.Kubernetes, Arch: m.Arch, Slot: m.Slot,
		Config: toConfigStatus(m.Config), Started: timestamp(m.Started), ApiPort: uint32(m.API.Port), Fingerprint: m.API.Fingerprint,
		Time: toTimeStatus(m.Time), Kube: toKube(m.Kube), ShuttingDown: m.ShuttingDown, Upgrade: toUpgradeStatus(m.Upgrade),
		Board:  toBoard(m.Board),
		Data:   &machinepb.DataStatus{Ready: m.Data.Ready, Device: m.Data.Device, TotalBytes: m.Data.Total, UsedBytes: m.Data.Used},
		Memory: &machinepb.MemoryStatus{TotalBytes: m.Memory.Total, AvailableBytes: m.Memory.Available},
	}
	if i := m.Install; i.Step != "" {
		s.Install = &machinepb.InstallStatus{Step: i.Step, Disk: text(i.Disk), DoneBytes: i.Done, TotalBytes: i.Total}
	}
	for _, a := range m.Addresses {
		s.Addresses = append(s.Addresses, &machinepb.Address{Interface: text(a.Interface), Prefix: a.Prefix})
	}
	for _, c := range m.Conditions {
		s.Conditions = append(s.Conditions, &machinepb.Condition{
			Id: c.ID, Severity: string(c.Severity), Message: text(c.Message), Hint: text(c.Hint), Since: timestamp(c.Since),
		})
	}
	return s
}

func toBoard(b state.Board) *machinepb.Board {
	p := &machinepb.Board{Model: text(b.Model)}
	for _, name := range b.Compatible {
		p.Compatible = append(p.Compatible, text(name))
	}
	return p
}

func toConfigStatus(c state.Config) *machinepb.ConfigStatus {
	p := &machinepb.ConfigStatus{Source: text(c.Source), Digest: c.Digest, StagedDigest: c.StagedDigest}
	for _, source := range c.Sources {
		p.Sources = append(p.Sources, &machinepb.ConfigSource{Name: text(source.Name), Used: source.Used, Why: text(source.Why)})
	}
	if !c.TryUntil.IsZero() {
		p.Trying = &machinepb.ConfigTry{Remaining: durationpb.New(max(0, time.Until(c.TryUntil).Round(time.Second)))}
	}
	return p
}

func toTimeStatus(t state.Time) *machinepb.TimeStatus {
	return &machinepb.TimeStatus{Disabled: t.Disabled, Synced: t.Synced, Server: text(t.Server), LastSync: timestamp(t.LastSync), Problem: text(t.Problem)}
}

func toKube(k state.Kube) *machinepb.KubeStatus {
	p := &machinepb.KubeStatus{Phase: string(k.Phase), Pid: int32(k.PID), NodeIp: k.NodeIP, Restarts: int32(k.Restarts), LastExit: text(k.LastExit)}
	if k.Status == nil {
		return p
	}
	p.ApiReady, p.NodeReady, p.NodeMessage = k.Status.APIReady, k.Status.NodeReady, text(k.Status.NodeMessage)
	p.PodsRunning, p.PodsTotal = int32(k.Status.PodsRunning), int32(k.Status.PodsTotal)
	for _, c := range k.Status.Components {
		p.Components = append(p.Components, &machinepb.Component{Name: text(c.Name), State: string(c.State), Since: timestamp(c.Since), Error: text(c.Error)})
	}
	return p
}

// timestamp is a time as it is sent; nil: it is not set.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// text is a string that came from elsewhere, as protobuf can carry it.
func text(s string) string { return strings.ToValidUTF8(s, "?") }
