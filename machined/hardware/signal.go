package hardware

import (
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/machined/state"
)

// Signal is what an LED says.
type Signal string

const (
	Starting Signal = "starting" // or going down: it is busy with itself
	Awaiting Signal = "awaiting" // a config
	Failed   Signal = "failed"   // the machine does not do its job, and a person should look
	OnTrial  Signal = "on trial" // a version runs that is not confirmed yet
	Ready    Signal = "ready"
)

// rhythms are how long an LED is lit and dark by turns; none: it stays lit. docs/troubleshooting.md has them for people. Ready is
// neither disk activity, which looks like nothing on a machine that writes once a minute, nor the kernel's heartbeat, which looks like
// a double blink.
var rhythms = map[Signal][]time.Duration{
	Starting: {500 * time.Millisecond, 500 * time.Millisecond},
	Awaiting: {100 * time.Millisecond, 150 * time.Millisecond, 100 * time.Millisecond, 850 * time.Millisecond},
	Failed:   {100 * time.Millisecond, 100 * time.Millisecond},
	OnTrial:  {1800 * time.Millisecond, 200 * time.Millisecond},
	Ready:    nil,
}

// Decide is what an LED should say of a machine.
func Decide(m state.Machine) Signal {
	noConfig := m.Config.Source == "" && slices.ContainsFunc(m.Conditions, aboutConfig) // otherwise it has not been looked for yet
	switch {
	case m.ShuttingDown != "":
		return Starting
	case slices.ContainsFunc(m.Conditions, func(c state.Condition) bool {
		return c.Severity == state.Error && !(noConfig && aboutConfig(c))
	}):
		return Failed
	case noConfig:
		return Awaiting
	case m.Kube.Phase == state.Waiting:
		return Failed
	case !m.Upgrade.TrialUntil.IsZero():
		return OnTrial
	case m.Kube.Phase == state.Ready:
		return Ready
	}
	return Starting
}

// aboutConfig is whether a condition is about the machine's config: that there is none, or that it is not valid.
func aboutConfig(c state.Condition) bool {
	return c.ID == "config" || strings.HasPrefix(c.ID, "config.")
}
