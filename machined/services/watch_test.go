package services

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/state"
)

func TestObserve(t *testing.T) {
	ready := &control.Status{APIReady: true, NodeReady: true}
	now := time.Unix(1000, 0)
	for name, tc := range map[string]struct {
		phase      state.Phase
		pid        int
		status     *control.Status
		after      time.Duration // since it was first not ready
		want       state.Phase
		conditions string // their IDs
		milestones string
	}{
		"ready":              {state.Starting, 7, ready, 0, state.Ready, "", "api-ready node-ready"},
		"API only":           {state.Starting, 7, &control.Status{APIReady: true}, 0, state.Starting, "", "api-ready"},
		"no answer":          {state.Starting, 7, nil, 0, state.Starting, "", ""},
		"was ready":          {state.Ready, 7, &control.Status{APIReady: true}, 0, state.Starting, "", "api-ready"},
		"not ready for long": {state.Starting, 7, &control.Status{APIReady: true, NodeMessage: "no CNI"}, 6 * time.Minute, state.Starting, "kube.not-ready", "api-ready"},
		"not running":        {state.Waiting, 0, nil, 6 * time.Minute, state.Waiting, "", ""},
		"stopping":           {state.Stopping, 7, ready, 0, state.Stopping, "", "api-ready node-ready"},
		"problems":           {state.Starting, 7, &control.Status{APIReady: true, NodeReady: true, Problems: []string{"manifest a: no"}}, 0, state.Ready, "kube.problems", "api-ready node-ready"},
		"a component failed": {state.Starting, 7, &control.Status{Components: []control.Component{{Name: "flannel", State: control.Failed, Error: "no vxlan"}}}, 0, state.Starting, "kube.component", ""},
	} {
		t.Run(name, func(t *testing.T) {
			store := state.NewStore(state.Machine{Kube: state.Kube{Phase: tc.phase, PID: tc.pid}})
			var milestones []string
			w := Watcher{Store: store, Milestone: func(name, _ string) { milestones = append(milestones, name) }, notReadySince: now}
			m, _ := store.Get()
			w.observe(m.Kube, tc.status, now.Add(tc.after))
			m, _ = store.Get()
			var ids []string
			for _, c := range m.Conditions {
				ids = append(ids, c.ID)
			}
			if m.Kube.Phase != tc.want || strings.Join(ids, " ") != tc.conditions || strings.Join(milestones, " ") != tc.milestones {
				t.Errorf("%s, conditions %v, milestones %v", m.Kube.Phase, ids, milestones)
			}
		})
	}
}

func TestControl(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	c := NewControl(path)
	if _, err := c.Status(t.Context()); err == nil {
		t.Error("an answer without kube")
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"version":"v1","apiReady":true}`)) })
	mux.HandleFunc("GET /kubeconfig", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "not yet", http.StatusServiceUnavailable) })
	server := &http.Server{Handler: mux}
	go server.Serve(listener)
	defer server.Close()
	if s, err := c.Status(t.Context()); err != nil || !s.APIReady {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := c.Kubeconfig(t.Context()); err == nil || !strings.Contains(err.Error(), "not yet") {
		t.Errorf("error %v", err)
	}
}

func TestProblemsOf(t *testing.T) {
	if got := problemsOf(nil) + problemsOf(&control.Status{}); got != "" {
		t.Errorf("got %q", got)
	}
	if got := problemsOf(&control.Status{Problems: []string{"a", "b", "c", "d", "e"}}); got != "a; b; c; and 2 more, in its log" {
		t.Errorf("got %q", got)
	}
}
