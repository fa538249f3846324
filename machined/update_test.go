package main

import (
	"strings"
	"testing"

	kube "github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/state"
)

// TestAgentProblems: an agent is healthy by itself, whether its servers answer or not.
func TestAgentProblems(t *testing.T) {
	components := func(states ...kube.State) []kube.Component {
		var list []kube.Component
		for i, name := range []string{"containerd", "join", "kubelet"} {
			list = append(list, kube.Component{Name: name, State: states[i]})
		}
		return list
	}
	up := components(kube.Ready, kube.Ready, kube.Ready)
	for name, tc := range map[string]struct {
		kube      state.Kube
		nodeReady bool
		want      string // in the problem; empty: none
	}{
		"Ready":                     {state.Kube{PID: 7, Status: &kube.Status{APIReady: true, NodeReady: true, Components: up}}, true, ""},
		"the servers are away":      {state.Kube{PID: 7, Status: &kube.Status{Components: up}}, true, ""},
		"not joined, and never was": {state.Kube{PID: 7, Status: &kube.Status{Components: components(kube.Ready, kube.Starting, kube.Waiting)}}, false, ""},
		"not joined, but was Ready": {state.Kube{PID: 7, Status: &kube.Status{Components: components(kube.Ready, kube.Starting, kube.Waiting)}}, true, "kubelet is waiting"},
		"no containerd":             {state.Kube{PID: 7, Status: &kube.Status{Components: components(kube.Starting, kube.Waiting, kube.Waiting)}}, false, "containerd is starting"},
		"not Ready any more":        {state.Kube{PID: 7, Status: &kube.Status{APIReady: true, NodeMessage: "no CNI", Components: up}}, true, "no CNI"},
		"not Ready, nor before":     {state.Kube{PID: 7, Status: &kube.Status{APIReady: true, NodeMessage: "no CNI", Components: up}}, false, ""},
		"a component failed":        {state.Kube{PID: 7, Status: &kube.Status{Components: []kube.Component{{Name: "containerd", State: kube.Ready}, {Name: "flannel", State: kube.Failed, Error: "no vxlan"}}}}, false, "no vxlan"},
		"it ends again and again":   {state.Kube{Phase: state.Waiting, LastExit: "no memory"}, false, "no memory"},
		"it does not answer":        {state.Kube{PID: 7}, false, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(agentProblems(state.Machine{Kube: tc.kube}, tc.nodeReady), "; ")
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
