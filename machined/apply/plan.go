package apply

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/change"
	"github.com/coracle-os/coracle/machined/config/types"
)

// Refused is that a config, valid as it is, cannot be applied as asked.
type Refused struct{ Reasons []string }

func (r *Refused) Error() string { return strings.Join(r.Reasons, "\n") }

// ErrOtherDigest is that the config in force is not the one that the caller knows.
var ErrOtherDigest = errors.New("the config in force is another by now; look at it and apply again")

// overAPI is where configs that are applied are from.
const overAPI = "the machine API"

// plan is what applying a config means.
type plan struct {
	old, new Config
	changed  []string // paths
	by       string
	result   Result
}

// plan checks a request and finds out what it means.
func (a *Applier) plan(r Request) (plan, error) {
	if a.trying != nil {
		return plan{}, &Refused{[]string{"another config is being tried; confirm or cancel it first"}}
	}
	p := plan{old: a.Machine.Current(), by: r.By}
	if r.First && p.old.Text != nil {
		return plan{}, &Refused{[]string{"somebody else has given the machine a config meanwhile; its keys may change it"}}
	}
	if r.IfDigest != "" && r.IfDigest != Digest(p.old.Text) {
		return plan{}, ErrOtherDigest
	}
	c, err := config.Parse("machine.yaml", r.Text)
	if err != nil {
		return plan{}, err
	}
	p.new = Config{r.Text, c, overAPI}
	p.result = Result{Changes: change.Between(p.old.MachineConfig, c), Digest: Digest(r.Text)}
	reasons := refusals(p.old, c)
	for _, ch := range p.result.Changes {
		p.changed = append(p.changed, ch.Path)
		switch ch.Needs {
		case change.Never:
			if p.old.Text != nil && a.Machine.Cluster() {
				reasons = append(reasons, fmt.Sprintf("%s cannot change on a machine that has been part of a cluster (from %s to %s): reset the machine first", ch.Path, orNothing(ch.Before), orNothing(ch.After)))
			}
		case change.Reboot:
			p.result.Reboot = p.result.Reboot || p.old.Text != nil
		}
	}
	reasons = append(reasons, a.Machine.Refusals(c, p.changed)...)
	if p.result.Reboot && (r.Mode == NoReboot || r.Mode == Try) {
		reasons = append(reasons, fmt.Sprintf("%s: a change needs a reboot, which mode %s excludes; use auto or staged", strings.Join(needing(p.result.Changes, change.Reboot), ", "), r.Mode))
	}
	if r.Mode == Try {
		p.result.TryFor = r.TryFor
		if r.TryFor == 0 {
			p.result.TryFor = DefaultTry
		}
		if p.result.TryFor < 0 || p.result.TryFor > longestTry {
			reasons = append(reasons, fmt.Sprintf("a try lasts at most %s, not %s", longestTry, r.TryFor))
		}
		if p.old.Text == nil {
			reasons = append(reasons, "there is no config to go back to; apply the first one with mode auto")
		}
	}
	if len(reasons) > 0 {
		return plan{}, &Refused{reasons}
	}
	if r.Mode != Staged {
		p.result.Effects = a.Machine.Effects(c, p.changed)
	}
	return p, nil
}

// refusals are the reasons why c must not follow old.
func refusals(old Config, c types.MachineConfig) (reasons []string) {
	if arch := c.Machine.Arch; arch != "" && arch != runtime.GOARCH {
		reasons = append(reasons, fmt.Sprintf("the config is for %s machines (machine.arch); this one is %s", arch, runtime.GOARCH))
	}
	if old.Text != nil && hasAdmin(old.MachineConfig) && !hasAdmin(c) {
		reasons = append(reasons, "machine.api.keys would have no admin any more, so nobody could change the config again; keep at least one key with role admin")
	}
	return reasons
}

func hasAdmin(c types.MachineConfig) bool {
	return slices.ContainsFunc(c.Machine.API.Keys, func(k types.Key) bool { return k.Role == types.Admin })
}

// needing are the paths of the changes that need n.
func needing(changes []change.Change, n change.Need) (paths []string) {
	for _, c := range changes {
		if c.Needs == n {
			paths = append(paths, c.Path)
		}
	}
	return paths
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
