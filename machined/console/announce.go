package console

import (
	"fmt"
	"slices"

	"github.com/coracle-os/coracle/machined/state"
)

// Line is something that every console should show.
type Line struct {
	Error bool // something is wrong; otherwise it is good to know
	Text  string
}

// Changes are the lines that tell of what became different from old to new.
func Changes(old, new state.Machine) []Line {
	var lines []Line
	say := func(wrong bool, format string, args ...any) {
		lines = append(lines, Line{wrong, fmt.Sprintf(format, args...)})
	}
	for _, c := range new.Conditions {
		i := slices.IndexFunc(old.Conditions, func(o state.Condition) bool { return o.ID == c.ID })
		if i >= 0 && old.Conditions[i].Severity == c.Severity && (old.Conditions[i].Message == c.Message || c.Severity == state.Info) {
			continue
		}
		say(c.Severity == state.Error, "%s", sentence(c))
	}
	for _, c := range old.Conditions {
		if !slices.ContainsFunc(new.Conditions, func(n state.Condition) bool { return n.ID == c.ID }) && c.Severity != state.Info {
			say(false, "no longer so: %s", c.Message)
		}
	}
	if len(old.Addresses) > 0 && !slices.Equal(old.Addresses, new.Addresses) {
		say(false, "addresses: %s", addresses(new.Addresses))
	}
	if text, changed := phase(old.Kube, new.Kube); changed {
		say(false, "Kubernetes %s", text)
	}
	return lines
}

func sentence(c state.Condition) string {
	if c.Hint == "" {
		return c.Message
	}
	return c.Message + "\n-> " + c.Hint
}

// phase says what a change of phase means, if it means something to a person who sees the milestones too.
func phase(old, new state.Kube) (text string, changed bool) {
	switch {
	case old.Phase == new.Phase:
	case new.Phase == state.Ready:
		return "is Ready", true
	case new.Phase == state.Starting && old.Phase == state.Ready:
		return "is no longer Ready", true
	case new.Phase == state.Stopping:
		return "stops, pods first", true
	}
	return "", false
}
