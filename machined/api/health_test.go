package api

import (
	"strings"
	"testing"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/state"
)

func well() state.Machine {
	return state.Machine{
		Role: "server", Data: state.Disk{Ready: true}, Addresses: []state.Address{{Interface: "eth0", Prefix: "192.0.2.7/24"}},
		Kube: state.Kube{Phase: state.Ready, PID: 7, Status: &control.Status{APIReady: true, NodeReady: true}},
	}
}

func TestHealth(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*state.Machine)
		want   string // names and messages of what is not well
	}{
		"well":         {func(*state.Machine) {}, ""},
		"no config":    {func(m *state.Machine) { m.Role = "" }, "config: the machine has no config"},
		"no DATA":      {func(m *state.Machine) { m.Data.Ready = false }, "data: DATA is not mounted"},
		"no address":   {func(m *state.Machine) { m.Addresses = nil }, "network: no interface has an address"},
		"kube is off":  {func(m *state.Machine) { m.Kube = state.Kube{Phase: state.Off} }, "kube: Kubernetes does not run yet; api: Kubernetes does not answer yet; node: Kubernetes does not answer yet"},
		"kube ended":   {func(m *state.Machine) { m.Kube.Phase, m.Kube.LastExit = state.Waiting, "exit code 1" }, "kube: Kubernetes ended and is started again: exit code 1"},
		"going down":   {func(m *state.Machine) { m.ShuttingDown = "restart" }, "kube: the machine is going down: restart"},
		"node not yet": {func(m *state.Machine) { m.Kube.Status.NodeReady, m.Kube.Status.NodeMessage = false, "no CNI" }, "node: the node is not Ready: no CNI"},
		"an agent":     {func(m *state.Machine) { m.Role, m.Kube.Status.APIReady = "agent", false }, ""},
		"a warning": {func(m *state.Machine) {
			m.Conditions = []state.Condition{{ID: "data.full", Severity: state.Warning, Message: "93 %"}}
		}, ""},
		"an error": {func(m *state.Machine) {
			m.Conditions = []state.Condition{{ID: "data.full", Severity: state.Error, Message: "100 %"}}
		}, "data: 100 %"},
		"safe mode": {func(m *state.Machine) {
			m.Kube, m.Conditions = state.Kube{Phase: state.Off}, []state.Condition{{ID: "kube.safe-mode", Severity: state.Error, Message: "Safe mode"}}
		}, "kube: Safe mode; api: Kubernetes does not answer yet; node: Kubernetes does not answer yet"},
		"not its error": {func(m *state.Machine) {
			m.Conditions = []state.Condition{{ID: "database", Severity: state.Error, Message: "x"}}
		}, ""},
		"API starts": {func(m *state.Machine) {
			m.Kube.Status.APIReady, m.Kube.Status.Components = false, []control.Component{{Name: "datastore", State: control.Ready}, {Name: "kube-apiserver", State: control.Failed, Error: "port in use"}}
		}, "api: kube-apiserver is failed: port in use"},
	} {
		t.Run(name, func(t *testing.T) {
			m := well()
			tc.change(&m)
			list, healthy := examine(m)
			var wrong []string
			for _, c := range list {
				if c.Ok != (c.Message == "") {
					t.Errorf("%v", c)
				}
				if !c.Ok {
					wrong = append(wrong, c.Name+": "+c.Message)
				}
			}
			if got := strings.Join(wrong, "; "); got != tc.want || healthy != (tc.want == "") || len(list) != len(checks) {
				t.Errorf("%q, want %q, healthy %v", got, tc.want, healthy)
			}
		})
	}
}
