package fleet

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
)

// event is what people are told of an Upgrade.
type event struct {
	warning bool
	reason  string
	message string
}

// events are what happened between two states of an Upgrade.
func events(before, after *Status) []event {
	was := map[string]NodeStatus{}
	for _, n := range before.Nodes {
		was[n.Name] = n
	}
	var all []event
	for _, n := range after.Nodes {
		old, known := was[n.Name]
		if known && old.Phase == n.Phase {
			if n.Reason == reasonRetrying && old.Attempts != n.Attempts {
				all = append(all, event{true, reasonRetrying, n.Name + ": " + n.Message})
			}
			continue
		}
		switch n.Phase {
		case Upgrading:
			all = append(all, event{false, "Upgrading", fmt.Sprintf("%s: from version %s to %s", n.Name, n.Version, n.Target)})
		case Draining:
			all = append(all, event{false, "Draining", n.Name + ": version " + n.Target + " is staged, pods leave"})
		case Rebooting:
			all = append(all, event{false, "Rebooting", n.Name + ": " + n.Message})
		case Done:
			if old.Phase.active() {
				all = append(all, event{false, "Upgraded", n.Name + ": version " + n.Target + " is confirmed"})
			}
		case Failed:
			all = append(all, event{true, n.Reason, n.Name + ": " + n.Message})
		}
	}
	for _, c := range after.Conditions {
		old := meta.FindStatusCondition(before.Conditions, c.Type)
		if old != nil && old.Status == c.Status {
			continue
		}
		switch {
		case c.Type == ConditionKeyAccepted && c.Status == "False":
			all = append(all, event{true, c.Reason, c.Message})
		case c.Type == ConditionComplete && c.Status == "True":
			all = append(all, event{false, c.Reason, c.Message})
		}
	}
	return all
}
