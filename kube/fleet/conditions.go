package fleet

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// condition is the reason of one, with its message.
type condition struct{ reason, message string }

// conclude counts, and says in conditions how the whole stands. wrong is what is wrong with the spec, if anything.
func (r *rollout) conclude(wrong condition) {
	s := &r.status
	s.Pending, s.Done, s.Failed = int32(r.count(Pending)), int32(r.count(Done)), int32(r.count(Failed))
	s.Total = int32(len(s.Nodes))
	s.Active = s.Total - s.Pending - s.Done - s.Failed
	s.Progress = fmt.Sprintf("%d/%d", s.Done, s.Total)
	s.Current = list(r.names(func(n NodeStatus) bool { return n.Phase.active() }))

	state := wrong
	if state.reason == "" {
		state = r.state()
	}
	r.set(ConditionProgressing, metav1.ConditionFalse, state)
	if state.reason == reasonRollingOut {
		r.set(ConditionProgressing, metav1.ConditionTrue, state)
	}
	complete := metav1.ConditionFalse
	if state.reason == reasonComplete {
		complete = metav1.ConditionTrue
	}
	r.set(ConditionComplete, complete, state)
	r.set(r.keyAccepted())
}

// state is how the whole stands.
func (r *rollout) state() condition {
	s := &r.status
	open, next := r.spec.Window.open(r.Now)
	switch {
	case s.Total == 0:
		return condition{reasonNoNodes, "no node has the labels of nodeSelector"}
	case s.Active > 0:
		return condition{reasonRollingOut, r.details(func(n NodeStatus) bool { return n.Phase.active() })}
	case s.Done == s.Total:
		return condition{reasonComplete, fmt.Sprintf("all machines run version %s", r.spec.Version)}
	case s.Failed > 0 && (r.spec.PauseOnFailure || s.Pending == 0):
		return condition{reasonMachineFailed, r.details(func(n NodeStatus) bool { return n.Phase == Failed }) + "; they are tried again when the spec is changed"}
	case r.spec.Paused:
		return condition{reasonPaused, "spec.paused is set"}
	case !open:
		return condition{reasonWindow, "the window opens at " + next.Format(time.RFC3339)}
	}
	return condition{reasonWaiting, r.details(func(n NodeStatus) bool { return n.Phase == Pending })}
}

// details are what is known of some machines, in a sentence.
func (r *rollout) details(of func(NodeStatus) bool) string {
	var all []string
	for _, n := range r.status.Nodes {
		if !of(n) {
			continue
		}
		text := n.Name + ": " + string(n.Phase)
		if n.Message != "" {
			text += ", " + n.Message
		}
		all = append(all, text)
	}
	return list(all)
}

func (r *rollout) names(of func(NodeStatus) bool) []string {
	var names []string
	for _, n := range r.status.Nodes {
		if of(n) {
			names = append(names, n.Name)
		}
	}
	return names
}

// keyAccepted says whether machines let the controller in, and if not, what the administrator has to do.
func (r *rollout) keyAccepted() (string, metav1.ConditionStatus, condition) {
	closed := r.names(func(n NodeStatus) bool {
		return slices.Contains([]string{string(keyUnknown), string(roleTooLow)}, n.Reason)
	})
	if len(closed) > 0 {
		return ConditionKeyAccepted, metav1.ConditionFalse, condition{string(keyUnknown), fmt.Sprintf(
			"add the key %s to machine.api.keys of %s, with the role operator", r.Key, list(closed))}
	}
	if len(r.names(func(n NodeStatus) bool { return n.Version != "" })) == 0 {
		return ConditionKeyAccepted, metav1.ConditionUnknown, condition{reasonNotAsked, fmt.Sprintf(
			"no machine was asked yet; each needs the key %s in its machine.api.keys, with the role operator", r.Key)}
	}
	return ConditionKeyAccepted, metav1.ConditionTrue, condition{reasonKeyAccepted, "machines know the key " + r.Key}
}

func (r *rollout) set(kind string, status metav1.ConditionStatus, c condition) {
	meta.SetStatusCondition(&r.status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: c.reason, Message: c.message, ObservedGeneration: r.status.ObservedGeneration,
		LastTransitionTime: metav1.NewTime(r.Now.UTC().Truncate(time.Second)),
	})
}
