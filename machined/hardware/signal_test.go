package hardware

import (
	"testing"
	"time"

	"github.com/coracle-os/coracle/machined/state"
)

func TestDecide(t *testing.T) {
	condition := func(id string, s state.Severity) func(*state.Machine) {
		return func(m *state.Machine) { m.Conditions = append(m.Conditions, state.Condition{ID: id, Severity: s}) }
	}
	phase := func(p state.Phase) func(*state.Machine) { return func(m *state.Machine) { m.Kube.Phase = p } }
	configured := func(m *state.Machine) { m.Config.Source = "DATA" }
	trial := func(m *state.Machine) { m.Upgrade.TrialUntil = time.Unix(1, 0) }
	goingDown := func(m *state.Machine) { m.ShuttingDown = "restart" }
	type changes []func(*state.Machine)
	for name, tc := range map[string]struct {
		changes changes
		want    Signal
	}{
		"the first moment":             {changes{}, Starting},
		"no config":                    {changes{condition("config", state.Error)}, Awaiting},
		"config is fetched":            {changes{condition("config", state.Info), condition("config.fetch", state.Warning)}, Awaiting},
		"no config, and no DATA":       {changes{condition("config", state.Error), condition("data", state.Error)}, Failed},
		"no config, and no cable":      {changes{condition("config", state.Error), condition("network.carrier.eth0", state.Warning)}, Awaiting},
		"no config, on trial":          {changes{condition("config", state.Error), trial}, Awaiting},
		"config, kube not yet":         {changes{configured, phase(state.Off)}, Starting},
		"kube starts":                  {changes{configured, phase(state.Starting)}, Starting},
		"ready":                        {changes{configured, phase(state.Ready)}, Ready},
		"ready, with a warning":        {changes{configured, phase(state.Ready), condition("board", state.Warning)}, Ready},
		"ready, another file is bad":   {changes{configured, phase(state.Ready), condition("config", state.Error)}, Failed},
		"ready, something is wrong":    {changes{configured, phase(state.Ready), condition("api", state.Error)}, Failed},
		"kube ended":                   {changes{configured, phase(state.Waiting)}, Failed},
		"safe mode":                    {changes{configured, phase(state.Off), condition("kube.safe-mode", state.Error)}, Failed},
		"on trial, kube starts":        {changes{configured, phase(state.Starting), trial, condition("upgrade.trial", state.Info)}, OnTrial},
		"on trial, ready":              {changes{configured, phase(state.Ready), trial}, OnTrial},
		"on trial, kube ended":         {changes{configured, phase(state.Waiting), trial}, Failed},
		"rolled back":                  {changes{configured, phase(state.Ready), condition("upgrade", state.Warning)}, Ready},
		"goes down":                    {changes{configured, phase(state.Stopping), goingDown}, Starting},
		"goes down with what is wrong": {changes{configured, condition("data", state.Error), goingDown}, Starting},
	} {
		t.Run(name, func(t *testing.T) {
			m := state.Machine{Kube: state.Kube{Phase: state.Off}}
			for _, change := range tc.changes {
				change(&m)
			}
			if got := Decide(m); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// TestSignalsDiffer: a person has to tell them apart.
func TestSignalsDiffer(t *testing.T) {
	seen := map[string]Signal{}
	for s, rhythm := range rhythms {
		text := pattern(rhythm, 1)
		if other, there := seen[text]; there {
			t.Errorf("%s and %s look the same", s, other)
		}
		seen[text] = s
		if len(rhythm)%2 != 0 {
			t.Errorf("%s: every time it is lit is followed by one in which it is dark", s)
		}
	}
}
