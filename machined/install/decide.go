package install

import (
	"fmt"
	"slices"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/inspect"
)

// Step is what a machine does about machine.install.
type Step string

const (
	Run  Step = "run"  // nothing: it runs from where it is
	Wait Step = "wait" // it cannot be installed, or not yet
	Copy Step = "copy" // it copies itself
	Done Step = "done" // it has done so; it should be started from there
)

// Situation is what is known when that is decided.
type Situation struct {
	Config    *types.Install // nil: the machine is not to be installed
	Installed bool           // the disk that it runs from is one that it was installed on
	Cluster   bool           // it has, or had, a cluster on its DATA
	Pending   string         // what has to end before; empty: nothing
	Obstacle  error          // why it cannot be copied from where it is; nil: it can
	Disks     []inspect.Disk
	Copies    []Made // that this system has made of itself

	// Look looks at the disk that is selected.
	Look func(inspect.Disk) Target
}

// Target is what is known of the disk that is selected, which is not the one that the machine runs from.
type Target struct {
	Problem error  // why it cannot be written; nil: it can
	Held    string // what is on it; empty: nothing
	Table   string // ID of its partition table; empty: it has none
	Whole   bool   // that is of a Coracle that firmware would start
}

// Verdict is what the machine does, and why.
type Verdict struct {
	Step Step
	Disk inspect.Disk // of Copy and Done
	Held string       // what Copy erases; empty: nothing
	Why  string       // of Wait, and of Run if the config wants something else; for a person
	Hint string       // what to do about that
	Soon bool         // of Wait: it passes by itself
}

// facts are a situation with what follows from it.
type facts struct {
	Situation
	disk   inspect.Disk // that is selected
	choice error        // why none is
	target Target       // that disk; only asked for when it is another than the one that the machine runs from
}

// own is whether the table of the target is of a copy of this system.
func (f facts) own() bool {
	return f.target.Table != "" && slices.ContainsFunc(f.Copies, func(m Made) bool { return m.Table == f.target.Table })
}

// rules are asked in order; the first that applies decides.
var rules = []struct {
	name    string
	applies func(facts) bool
	verdict func(facts) Verdict
}{
	{
		"not asked for",
		func(f facts) bool { return f.Config == nil },
		func(facts) Verdict { return Verdict{Step: Run} },
	},
	{
		"runs from the disk that it was installed on",
		func(f facts) bool { return f.Installed },
		func(facts) Verdict { return Verdict{Step: Run} },
	},
	{
		"runs from the disk that is selected",
		func(f facts) bool { return f.choice == nil && f.disk.Boot },
		func(facts) Verdict { return Verdict{Step: Run} },
	},
	{
		"has a cluster",
		func(f facts) bool { return f.Cluster },
		func(f facts) Verdict {
			why := fmt.Sprintf("it selects %s", Describe(f.disk))
			if f.choice != nil {
				why = f.choice.Error()
			}
			return Verdict{
				Step: Run, Why: "The machine has a cluster on the disk that it runs from, and is not installed on another: " + why + ".",
				Hint: "take machine.install out of the config; to move to another disk, reset the machine, which ends its cluster",
			}
		},
	},
	{
		"no disk, or several",
		func(f facts) bool { return f.choice != nil },
		func(f facts) Verdict {
			return Verdict{Step: Wait, Why: f.choice.Error() + ".", Hint: "attach the disk, or apply a config with another machine.install.disk; it is tried again by itself"}
		},
	},
	{
		"cannot be copied",
		func(f facts) bool { return f.Obstacle != nil },
		func(f facts) Verdict {
			return Verdict{
				Step: Wait, Disk: f.disk, Why: fmt.Sprintf("Nothing is installed: %v.", f.Obstacle),
				Hint: "write the image to the stick or card again, which the machine was started from",
			}
		},
	},
	{
		"something has to end first",
		func(f facts) bool { return f.Pending != "" },
		func(f facts) Verdict { return Verdict{Step: Wait, Disk: f.disk, Why: f.Pending, Soon: true} },
	},
	{
		"was installed",
		func(f facts) bool { return f.target.Whole && f.own() },
		func(f facts) Verdict {
			return Verdict{
				Step: Done, Disk: f.disk, Why: "Installed on " + Describe(f.disk) + ", but the machine was started from another disk.",
				Hint: "shut the machine down, take the disk out that it was started from, or put it behind the other in the firmware's boot order",
			}
		},
	},
	{
		"cannot be written",
		func(f facts) bool { return f.target.Problem != nil },
		func(f facts) Verdict {
			return Verdict{
				Step: Wait, Disk: f.disk, Why: fmt.Sprintf("Nothing is installed on %s: %v.", Describe(f.disk), f.target.Problem),
				Hint: "use another disk, or apply a config with another machine.install.disk",
			}
		},
	},
	{
		"holds something",
		func(f facts) bool { return f.target.Held != "" && !f.own() && !f.Config.Wipe },
		func(f facts) Verdict {
			return Verdict{
				Step: Wait, Disk: f.disk, Why: fmt.Sprintf("Nothing is installed on %s: it holds %s.", Describe(f.disk), f.target.Held),
				Hint: "if nobody needs that, apply the config with machine.install.wipe: true, which erases the disk",
			}
		},
	},
	{
		"to be installed",
		func(facts) bool { return true },
		func(f facts) Verdict {
			v := Verdict{Step: Copy, Disk: f.disk, Held: f.target.Held}
			if f.own() { // of a copy that was not finished
				v.Held = ""
			}
			return v
		},
	},
}

// Decide says what the machine does.
func Decide(s Situation) Verdict {
	f := facts{Situation: s}
	if s.Config != nil {
		f.disk, f.choice = Select(s.Disks, s.Config.Disk)
		if f.choice == nil && !f.disk.Boot && !s.Installed && !s.Cluster && s.Obstacle == nil {
			f.target = s.Look(f.disk)
		}
	}
	for _, r := range rules {
		if r.applies(f) {
			return r.verdict(f)
		}
	}
	panic("install: no rule applies")
}

// Plan is what the verdict means, for who applies a config; empty: nothing.
func (v Verdict) Plan(then types.Then) string {
	what := map[types.Then]string{types.ThenShutdown: "shuts down"}[then]
	if what == "" {
		what = "restarts"
	}
	if v.Step != Copy {
		return v.Why
	}
	held := "the disk is empty"
	if v.Held != "" {
		held = "the disk is ERASED, and holds " + v.Held
	}
	return fmt.Sprintf("Coracle is copied to %s; %s; then the machine %s", Describe(v.Disk), held, what)
}
