package api

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/state"
)

// How states of programs and of Kubernetes' parts are named in the list of services.
const (
	running  = "running"
	starting = "starting"
	waiting  = "waiting"
	stopped  = "stopped"
)

var phaseStates = map[state.Phase]string{state.Ready: running, state.Starting: starting, state.Waiting: waiting, state.Stopping: stopped, state.Off: stopped}

var componentStates = map[control.State]string{
	control.Ready: running, control.Starting: starting, control.Waiting: waiting, control.Failed: stopped, control.Stopped: stopped,
}

// ListServices says which programs run, and which parts of Kubernetes in kube.
func (s service) ListServices(context.Context, *connect.Request[machinepb.ListServicesRequest]) (*connect.Response[machinepb.ListServicesResponse], error) {
	m, _ := s.Backend.Store.Get()
	kube := s.program("kube", m.Kube.PID, "podruntime", m.Started)
	kube.State, kube.Restarts, kube.Message = phaseStates[m.Kube.Phase], int32(m.Kube.Restarts), text(m.Kube.LastExit)
	list := []*machinepb.Service{s.program("init", 1, "init", m.Started), s.program("machined", os.Getpid(), "machined", m.Started), kube}
	if m.Kube.Status != nil {
		for _, c := range m.Kube.Status.Components {
			list = append(list, &machinepb.Service{Name: text(c.Name), State: componentStates[c.State], Since: timestamp(c.Since), Message: text(c.Error)})
		}
	}
	return connect.NewResponse(&machinepb.ListServicesResponse{Services: list}), nil
}

// program is a program that runs, in its cgroup. booted is when the kernel was started.
func (s service) program(name string, pid int, cgroup string, booted time.Time) *machinepb.Service {
	p := &machinepb.Service{Name: name, State: running, Pid: int32(pid), MemoryBytes: s.Backend.System.CgroupAnonymous(cgroup)}
	if found, err := s.Backend.System.Process(pid); err == nil && !booted.IsZero() {
		p.Since = timestamp(booted.Add(found.Started))
	}
	return p
}

// RestartService starts a service again.
func (s service) RestartService(ctx context.Context, r *connect.Request[machinepb.RestartServiceRequest]) (*connect.Response[machinepb.RestartServiceResponse], error) {
	name := r.Msg.Name
	restart := s.Backend.Restart[name]
	if restart == nil {
		known := strings.Join(slices.Sorted(maps.Keys(s.Backend.Restart)), ", ")
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("service %q cannot be restarted; these can: %s", name, known))
	}
	if err := restart(); err != nil {
		return nil, connect.NewError(connect.CodeUnavailable, err)
	}
	s.Backend.Events.Add(events.Event{Kind: events.Service, Severity: state.Info, Message: name + " is restarted", By: callerOf(ctx).by()})
	return connect.NewResponse(&machinepb.RestartServiceResponse{}), nil
}
