package services

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/state"
)

const (
	conditionComponent = "kube.component"
	conditionNotReady  = "kube.not-ready"
	conditionProblems  = "kube.problems"

	// How often kube is asked.
	pollStarting = 500 * time.Millisecond // while a person waits
	pollReady    = 5 * time.Second

	// maxProblems is how many problems of kube are shown at once.
	maxProblems = 3

	// slowAfter is when a node that is not Ready is a problem: the slowest machine that is known to work takes half of it.
	slowAfter = 5 * time.Minute
)

// Watcher keeps the state of Kubernetes up to date.
type Watcher struct {
	Control   Control
	Store     *state.Store
	Milestone func(name, detail string)

	notReadySince time.Time
}

// Run polls kube until ctx ends.
func (w *Watcher) Run(ctx context.Context, beat func()) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		beat()
		timer.Reset(w.poll(ctx))
	}
}

// poll asks once and returns when to ask again.
func (w *Watcher) poll(ctx context.Context) time.Duration {
	m, _ := w.Store.Get()
	if m.Kube.PID == 0 {
		w.observe(m.Kube, nil, time.Now())
		return pollStarting
	}
	s, err := w.Control.Status(ctx)
	if err != nil && m.Kube.Phase == state.Ready && ctx.Err() == nil {
		s, err = w.Control.Status(ctx) // busy, perhaps; ask twice before its state counts as unknown
	}
	if err != nil {
		s = nil
	}
	w.observe(m.Kube, s, time.Now())
	if s != nil && s.APIReady && s.NodeReady {
		return pollReady
	}
	return pollStarting
}

// observe draws the conclusions from an answer; nil: there was none.
func (w *Watcher) observe(kube state.Kube, s *control.Status, now time.Time) {
	ready := s != nil && s.APIReady && s.NodeReady && !s.Stopping
	phase := kube.Phase
	switch {
	case kube.PID == 0 || phase == state.Stopping:
	case ready:
		phase = state.Ready
	default:
		phase = state.Starting
	}
	if phase != kube.Phase || !reflect.DeepEqual(s, kube.Status) {
		w.Store.Update(func(m *state.Machine) {
			if m.Kube.PID == kube.PID { // it may have ended meanwhile
				m.Kube.Phase, m.Kube.Status = phase, s
			}
		})
	}
	if s != nil && s.APIReady {
		w.Milestone("api-ready", "")
	}
	if ready {
		w.Milestone("node-ready", "")
		w.Store.Clear(conditionExit)
		w.notReadySince = time.Time{}
	} else if w.notReadySince.IsZero() {
		w.notReadySince = now
	}
	failed := failedComponents(s)
	w.Store.Put(failed != "", state.Condition{ID: conditionComponent, Severity: state.Error, Message: failed, Hint: "Kubernetes is started again by itself; its log says more (GetLogs, service kube)"})
	problems := problemsOf(s)
	w.Store.Put(problems != "", state.Condition{ID: conditionProblems, Severity: state.Warning, Message: problems, Hint: "Kubernetes tries again by itself; correct the cluster section of the config if it is wrong"})
	m, _ := w.Store.Get()
	slow := kube.PID != 0 && phase == state.Starting && !w.notReadySince.IsZero() && now.Sub(w.notReadySince) > slowAfter
	w.Store.Put(slow, state.Condition{ID: conditionNotReady, Severity: state.Warning, Message: notReady(s, m.Role), Hint: "the log of Kubernetes says more (GetLogs, service kube)"})
}

// failedComponents says which components failed and why; empty: none.
func failedComponents(s *control.Status) string {
	if s == nil {
		return ""
	}
	var failed []string
	for _, c := range s.Components {
		if c.State == control.Failed {
			failed = append(failed, fmt.Sprintf("%s failed: %s", c.Name, c.Error))
		}
	}
	return strings.Join(failed, "; ")
}

// problemsOf says what of the config Kubernetes could not do; empty: nothing.
func problemsOf(s *control.Status) string {
	if s == nil {
		return ""
	}
	list := s.Problems
	if more := len(list) - maxProblems; more > 0 {
		list = append(slices.Clone(list[:maxProblems]), fmt.Sprintf("and %d more, in its log", more))
	}
	return strings.Join(list, "; ")
}

// notReady says what a node that is not Ready waits for.
func notReady(s *control.Status, role string) string {
	switch {
	case s == nil:
		return "Kubernetes does not answer"
	case !s.APIReady && role == control.Agent:
		return strings.TrimSuffix("this agent has no connection to its servers: "+problemsOf(s), ": ")
	case !s.APIReady:
		for _, c := range s.Components {
			if c.State == control.Starting || c.State == control.Waiting {
				return "the Kubernetes API is not ready: " + c.Name + " is " + string(c.State)
			}
		}
		return "the Kubernetes API is not ready"
	case s.NodeMessage != "":
		return "the node is not Ready: " + s.NodeMessage
	}
	return "the node is not Ready"
}
