package api

import (
	"context"
	"slices"
	"strings"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/state"
)

// check is one thing that must be so for a machine to be healthy.
type check struct {
	name string
	// wrong says what is awaited or wrong; empty: it is well.
	wrong func(state.Machine) string
	// conditions whose IDs are or start with these, and that are errors, are this check's.
	conditions []string
}

// checks are all there are, each after those that it needs.
var checks = []check{
	{"config", func(m state.Machine) string { return unless(m.Role != "", "the machine has no config") }, []string{"config"}},
	{"data", func(m state.Machine) string { return unless(m.Data.Ready, "DATA is not mounted") }, []string{"data"}},
	{"network", func(m state.Machine) string { return unless(len(m.Addresses) > 0, "no interface has an address") }, []string{"network"}},
	{"kube", kubeRuns, []string{"kube", "modules", "install"}},
	{"api", apiReady, nil},
	{"node", nodeReady, nil},
}

func unless(ok bool, wrong string) string {
	if ok {
		return ""
	}
	return wrong
}

func kubeRuns(m state.Machine) string {
	switch {
	case m.ShuttingDown != "":
		return "the machine is going down: " + m.ShuttingDown
	case m.Install.Step != "":
		return strings.TrimSuffix("Kubernetes does not run here, as the machine is to be installed on another disk ("+m.Install.Step+"): "+m.Install.Disk, ": ")
	case m.Kube.Phase == state.Waiting:
		return "Kubernetes ended and is started again: " + m.Kube.LastExit
	case m.Kube.Phase == state.Stopping:
		return "Kubernetes stops"
	}
	return unless(m.Kube.PID != 0, "Kubernetes does not run yet")
}

func apiReady(m state.Machine) string {
	if m.Role == string(types.Agent) { // an agent has none of its own
		return ""
	}
	s := m.Kube.Status
	if s == nil {
		return "Kubernetes does not answer yet"
	}
	if s.APIReady {
		return ""
	}
	for _, c := range s.Components {
		if c.State != control.Ready {
			return strings.TrimSuffix(c.Name+" is "+string(c.State)+": "+c.Error, ": ")
		}
	}
	return "the Kubernetes API is not ready"
}

func nodeReady(m state.Machine) string {
	switch {
	case m.Kube.Status == nil:
		return "Kubernetes does not answer yet"
	case m.Kube.Status.NodeReady:
		return ""
	}
	return strings.TrimSuffix("the node is not Ready: "+m.Kube.Status.NodeMessage, ": ")
}

// examine makes all checks. healthy is whether each is well.
func examine(m state.Machine) (list []*machinepb.HealthCheck, healthy bool) {
	healthy = true
	for _, c := range checks {
		wrong := c.wrong(m)
		for _, condition := range m.Conditions {
			mine := slices.ContainsFunc(c.conditions, func(id string) bool {
				return condition.ID == id || strings.HasPrefix(condition.ID, id+".")
			})
			if mine && condition.Severity == state.Error {
				wrong = condition.Message
			}
		}
		list = append(list, &machinepb.HealthCheck{Name: c.name, Ok: wrong == "", Message: text(wrong)})
		healthy = healthy && wrong == ""
	}
	return list, healthy
}

// WatchHealth sends all checks, then those that have changed.
func (s service) WatchHealth(ctx context.Context, r *connect.Request[machinepb.WatchHealthRequest], stream *connect.ServerStream[machinepb.WatchHealthResponse]) error {
	sent := map[string]string{} // message by name
	return s.watch(ctx, func(m state.Machine) (done bool, err error) {
		list, healthy := examine(m)
		list = slices.DeleteFunc(list, func(c *machinepb.HealthCheck) bool {
			last, was := sent[c.Name]
			sent[c.Name] = c.Message
			return was && last == c.Message
		})
		if len(list) > 0 {
			err = stream.Send(&machinepb.WatchHealthResponse{Checks: list})
		}
		return healthy && r.Msg.UntilHealthy, err
	})
}
