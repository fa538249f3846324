package events

import (
	"context"
	"fmt"
	"slices"

	"github.com/coracle-os/coracle/machined/state"
)

// Watch adds what changes in the store until ctx ends.
func (l *Log) Watch(ctx context.Context, store *state.Store) {
	var old state.Machine
	for {
		m, changed := store.Get()
		for _, e := range Changes(old, m) {
			l.Add(e)
		}
		old = m
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// Changes are the events between two states. A condition is one when it comes, when it gets another severity, and when
// it goes; that it says something else is none, or a counter in its text would push out all others.
func Changes(old, new state.Machine) []Event {
	var list []Event
	add := func(k Kind, s state.Severity, format string, args ...any) {
		list = append(list, Event{Kind: k, Severity: s, Message: fmt.Sprintf(format, args...)})
	}
	find := func(m state.Machine, id string) *state.Condition {
		i := slices.IndexFunc(m.Conditions, func(c state.Condition) bool { return c.ID == id })
		if i < 0 {
			return nil
		}
		return &m.Conditions[i]
	}
	for _, c := range new.Conditions {
		if was := find(old, c.ID); was == nil || was.Severity != c.Severity {
			add(Condition, c.Severity, "%s: %s", c.ID, c.Message)
		}
	}
	for _, c := range old.Conditions {
		if find(new, c.ID) == nil {
			add(Condition, state.Info, "%s: no longer so: %s", c.ID, c.Message)
		}
	}
	if old.Config.Source != new.Config.Source && new.Config.Source != "" {
		add(Config, state.Info, "the config in force is from %s", new.Config.Source)
	}
	if old.Kube.Restarts != new.Kube.Restarts && new.Kube.Restarts > 0 {
		add(Service, state.Error, "kube ended: %s", new.Kube.LastExit)
	}
	if old.Kube.Phase != new.Kube.Phase {
		switch new.Kube.Phase {
		case state.Ready:
			add(Service, state.Info, "kube: the node is Ready")
		case state.Starting:
			if old.Kube.Phase == state.Ready {
				add(Service, state.Warning, "kube: the node is no longer Ready")
			} else {
				add(Service, state.Info, "kube was started")
			}
		}
	}
	if old.ShuttingDown == "" && new.ShuttingDown != "" {
		add(Power, state.Info, "the machine goes down: %s", new.ShuttingDown)
	}
	return list
}
