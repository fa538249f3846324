package fleet

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// now is a Thursday.
var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

const wanted = "0.2.0"

func node(name string, change ...func(*Node)) Node {
	n := Node{Name: name, Labels: map[string]string{"name": name}, Ready: true, Address: "192.0.2.7:50000", Fingerprint: "SHA256:x"}
	for _, c := range change {
		c(&n)
	}
	return n
}

func notReady(n *Node) { n.Ready = false }
func noAPI(n *Node)    { n.Address = "" }
func server(n *Node)   { n.Server = true }
func cordoned(n *Node) { n.CordonedBy = "Upgrade u" }

func world(nodes ...Node) World {
	return World{
		Now: now, Started: now.Add(-24 * time.Hour), Nodes: nodes, Answers: map[string]Answer{}, Jobs: map[string]Job{},
		Taken: map[string]string{}, Avoid: map[string]time.Time{}, Rebooted: map[string]time.Time{}, Key: "ed25519:KEY",
	}
}

func upgrade(change ...func(*Upgrade)) *Upgrade {
	u := &Upgrade{ObjectMeta: metav1.ObjectMeta{Name: "u", UID: "1", Generation: 1}, Spec: Spec{
		Artifact: "https://a.example/b", Version: wanted, Concurrency: 1, Drain: Drain{metav1.Duration{Duration: 2 * time.Minute}},
		Timeout: metav1.Duration{Duration: 30 * time.Minute}, PauseOnFailure: true,
	}}
	u.Status.ObservedGeneration = 1
	for _, c := range change {
		c(u)
	}
	return u
}

// with sets how far machines are: "edge-1 Rebooting 5m" since 5 minutes.
func with(machines ...string) func(*Upgrade) {
	return func(u *Upgrade) {
		for _, m := range machines {
			f := strings.Fields(m)
			s := NodeStatus{Name: f[0], Phase: Phase(f[1]), Since: metav1.NewTime(now)}
			if s.Phase != Pending {
				s.Target = wanted
			}
			if len(f) > 2 {
				d, _ := time.ParseDuration(f[2])
				s.Since = metav1.NewTime(now.Add(-d))
			}
			u.Status.Nodes = append(u.Status.Nodes, s)
		}
	}
}

// doing writes actions as "stage edge-1, drain edge-2".
func doing(actions []Action) string {
	var all []string
	for _, a := range actions {
		text := string(a.Kind) + " " + a.Node.Name
		if a.Kind == drain {
			text += " " + a.Deadline.String()
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// TestMachine has every step of a machine.
func TestMachine(t *testing.T) {
	old := Answer{Running: "0.1.0"}
	staged := Answer{Running: "0.1.0", Staged: wanted}
	trial, confirmed := Answer{Running: wanted, Trial: true}, Answer{Running: wanted}
	gone := Answer{Failure: unreachable, Text: "no route"}
	for name, tc := range map[string]struct {
		machine string // phase and since when
		answer  *Answer
		job     *Job
		change  func(*Upgrade, *World)
		want    string // phase and reason
		message string // part of it
		do      string
	}{
		"begins":                           {"Pending", &old, nil, nil, "Upgrading", "fetches", "stage edge-1"},
		"was not asked":                    {"Pending", nil, nil, nil, "Pending", "", ""},
		"is done already":                  {"Pending", &confirmed, nil, nil, "Done Confirmed", "", ""},
		"is on trial with it already":      {"Pending", &trial, nil, nil, "Rebooting OnTrial", "", ""},
		"is on trial with another version": {"Pending", &Answer{Running: "0.1.5", Trial: true}, nil, nil, "Pending OnTrial", "0.1.5", ""},
		"somebody upgrades it":             {"Pending", &Answer{Running: "0.1.0", Installing: true}, nil, nil, "Pending Busy", "", ""},
		"it is staged already":             {"Pending", &staged, nil, nil, "Draining Staged", "", "drain edge-1 2m0s"},
		"another version is staged":        {"Pending", &Answer{Running: "0.1.0", Staged: "0.1.5"}, nil, nil, "Upgrading", "", "stage edge-1"},
		"does not answer":                  {"Pending", &gone, nil, nil, "Pending Unreachable", "no route", ""},
		"does not know the key":            {"Pending", &Answer{Failure: keyUnknown, Text: "no key"}, nil, nil, "Pending KeyUnknown", "", ""},
		"cannot be upgraded":               {"Pending", &Answer{Failure: refused, Text: "no disk"}, nil, nil, "Failed Refused", "no disk", ""},

		"fetches":                        {"Upgrading", nil, &Job{Kind: stage, Step: "write"}, nil, "Upgrading", "write", ""},
		"fetched":                        {"Upgrading", nil, &Job{Kind: stage, Over: true, Version: wanted}, nil, "Draining Staged", "", "drain edge-1 2m0s"},
		"fetched, no drain":              {"Upgrading", nil, &Job{Kind: stage, Over: true, Version: wanted}, func(u *Upgrade, _ *World) { u.Spec.Drain.Deadline.Duration = 0 }, "Rebooting", "", "reboot edge-1"},
		"another version":                {"Upgrading", nil, &Job{Kind: stage, Over: true, Version: "0.3.0"}, nil, "Failed WrongVersion", "0.3.0, not 0.2.0", "cancel edge-1"},
		"artifact refused":               {"Upgrading", nil, &Job{Kind: stage, Over: true, Failure: refused, Text: "signed by a stranger"}, nil, "Failed Refused", "stranger", ""},
		"busy":                           {"Upgrading", nil, &Job{Kind: stage, Over: true, Failure: busy, Text: "another"}, nil, "Pending Busy", "", ""},
		"the key was taken away":         {"Upgrading", nil, &Job{Kind: stage, Over: true, Failure: keyUnknown}, nil, "Pending KeyUnknown", "", ""},
		"fetching broke off":             {"Upgrading", nil, &Job{Kind: stage, Over: true, Failure: unreachable, Text: "reset"}, nil, "Upgrading Retrying", "reset", ""},
		"broke off a third time":         {"Upgrading", nil, &Job{Kind: stage, Over: true, Failure: unreachable, Text: "reset"}, attempts(2), "Failed CannotFetch", "reset", ""},
		"waits for the next attempt":     {"Upgrading 20s", &old, nil, attempts(1), "Upgrading Retrying", "", ""},
		"the next attempt":               {"Upgrading 31s", &old, nil, attempts(1), "Upgrading", "", "stage edge-1"},
		"the controller was restarted":   {"Upgrading", &old, nil, nil, "Upgrading", "", "stage edge-1"},
		"it wrote on without it":         {"Upgrading", &Answer{Running: "0.1.0", Installing: true}, nil, nil, "Upgrading Busy", "", ""},
		"it was staged meanwhile":        {"Upgrading", &staged, nil, nil, "Draining Staged", "", "drain edge-1 2m0s"},
		"it was booted meanwhile":        {"Upgrading", &trial, nil, nil, "Rebooting OnTrial", "", ""},
		"gone while upgrading":           {"Upgrading 29m", &gone, nil, nil, "Upgrading Unreachable", "", ""},
		"gone too long while upgrading":  {"Upgrading 31m", &gone, nil, nil, "Failed Timeout", "no route", ""},
		"unseen by a new controller yet": {"Upgrading 31m", &gone, nil, func(_ *Upgrade, w *World) { w.Started = now.Add(-time.Minute) }, "Upgrading Unreachable", "", ""},
		"the clock was behind":           {"Upgrading -30h", &gone, nil, nil, "Upgrading Unreachable", "", ""},

		"pods leave":                    {"Draining", nil, &Job{Kind: drain}, nil, "Draining", "", ""},
		"pods have left":                {"Draining", nil, &Job{Kind: drain, Over: true, Text: "3 pods left"}, nil, "Rebooting", "3 pods left", "reboot edge-1"},
		"draining failed":               {"Draining", nil, &Job{Kind: drain, Over: true, Failure: unreachable, Text: "API"}, nil, "Rebooting", "API", "reboot edge-1"},
		"draining goes on":              {"Draining 30s", &staged, nil, nil, "Draining", "", "drain edge-1 1m30s"},
		"draining took too long":        {"Draining 5m", &staged, nil, nil, "Rebooting", "restarts", "reboot edge-1"},
		"drained in the future":         {"Draining -5m", &staged, nil, nil, "Draining", "", "drain edge-1 2m0s"},
		"cancelled on the machine":      {"Draining", &old, nil, nil, "Failed Cancelled", "", "uncordon edge-1"},
		"booted while draining":         {"Draining", &trial, nil, nil, "Rebooting OnTrial", "", ""},
		"gone while draining":           {"Draining 5m", &gone, nil, nil, "Draining Unreachable", "", ""},
		"gone too long while draining":  {"Draining 31m", &gone, nil, nil, "Failed Timeout", "", "uncordon edge-1"},
		"the job of a phase before":     {"Draining", nil, &Job{Kind: stage, Over: true}, nil, "Draining", "", ""},
		"is told to restart":            {"Rebooting", nil, &Job{Kind: reboot}, nil, "Rebooting", "", ""},
		"is still to restart":           {"Rebooting", &staged, nil, nil, "Rebooting", "is to restart", "reboot edge-1"},
		"was told to":                   {"Rebooting 1m", &staged, nil, told(time.Minute), "Rebooting", "", ""},
		"was told to long ago":          {"Rebooting 5m", &staged, nil, told(5 * time.Minute), "Rebooting", "", "reboot edge-1"},
		"never restarts":                {"Rebooting 31m", &staged, nil, nil, "Failed Timeout", "is to restart", "cancel edge-1, uncordon edge-1"},
		"is away":                       {"Rebooting 5m", &gone, nil, nil, "Rebooting Unreachable", "", ""},
		"does not come back":            {"Rebooting 31m", &gone, nil, nil, "Failed Timeout", "Rebooting did not end within 30m0s", ""},
		"is on trial":                   {"Rebooting 5m", &trial, nil, nil, "Rebooting OnTrial", "", ""},
		"knows how long a trial may be": {"Rebooting 40m", &trial, nil, nil, "Rebooting OnTrial", "", ""},
		"confirmed":                     {"Rebooting 5m", &confirmed, nil, nil, "Done Confirmed", "", ""},
		"confirmed, not Ready":          {"Rebooting 5m", &confirmed, nil, nodeIs(notReady), "Rebooting NotReady", "", ""},
		"confirmed, still cordoned":     {"Rebooting 5m", &confirmed, nil, nodeIs(cordoned), "Rebooting NotReady", "", ""},
		"confirmed, never Ready":        {"Rebooting 31m", &confirmed, nil, nodeIs(notReady), "Failed Timeout", "not Ready", ""},
		"rolled back":                   {"Rebooting 5m", &Answer{Running: "0.1.0", RolledBack: wanted, Why: "its kernel panicked"}, nil, nil, "Failed RolledBack", "its kernel panicked", ""},
		"another one was rolled back":   {"Rebooting 5m", &Answer{Running: "0.1.0", RolledBack: "0.1.5"}, nil, nil, "Rebooting", "runs version 0.1.0", ""},
		"rolled back before, now staged": {
			"Rebooting 5m", &Answer{Running: "0.1.0", Staged: wanted, RolledBack: wanted}, nil, told(time.Minute), "Rebooting", "is to restart", "",
		},
		"came back as it was, unexplained": {"Rebooting 31m", &old, nil, nil, "Failed Timeout", "runs version 0.1.0", ""},
		"done":                             {"Done", &old, nil, nil, "Done", "", ""},
		"failed":                           {"Failed", &old, nil, nil, "Failed", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			u, w := upgrade(with("edge-1 "+tc.machine)), world(node("edge-1"))
			if tc.answer != nil {
				w.Answers["edge-1"] = *tc.answer
			}
			if tc.job != nil {
				w.Jobs["edge-1"] = *tc.job
			}
			if tc.change != nil {
				tc.change(u, &w)
			}
			status, actions := plan(u, w)
			s := status.Nodes[0]
			if got := strings.TrimSpace(string(s.Phase) + " " + s.Reason); got != tc.want || !strings.Contains(s.Message, tc.message) {
				t.Errorf("%s: %q, want %s: %q", got, s.Message, tc.want, tc.message)
			}
			if got := doing(actions); got != tc.do {
				t.Errorf("to do: %q, want %q", got, tc.do)
			}
			if began := u.Status.Nodes[0]; s.Phase != began.Phase && !s.Since.Time.Equal(now) {
				t.Errorf("the phase is since %v", s.Since)
			}
		})
	}
}

func attempts(n int32) func(*Upgrade, *World) {
	return func(u *Upgrade, _ *World) { u.Status.Nodes[0].Attempts, u.Status.Nodes[0].Reason = n, reasonRetrying }
}

func told(before time.Duration) func(*Upgrade, *World) {
	return func(_ *Upgrade, w *World) { w.Rebooted["edge-1"] = now.Add(-before) }
}

func nodeIs(change func(*Node)) func(*Upgrade, *World) {
	return func(_ *Upgrade, w *World) { change(&w.Nodes[0]) }
}

// TestRollout has which machines are asked and begun with, and what is said of the whole.
func TestRollout(t *testing.T) {
	three := []Node{node("edge-1"), node("edge-2"), node("edge-3")}
	for name, tc := range map[string]struct {
		upgrade *Upgrade
		nodes   []Node
		change  func(*World)
		asked   string // nodes
		do      string // when all that are asked run an older version
		state   string // reason of Progressing
		message string // part of it
		counts  string // pending active done failed
	}{
		"first of three":     {upgrade(), three, nil, "edge-1 edge-2 edge-3", "stage edge-1", "RollingOut", "edge-1: Upgrading", "2 1 0 0"},
		"two at a time":      {upgrade(func(u *Upgrade) { u.Spec.Concurrency = 2 }), three, nil, "edge-1 edge-2 edge-3", "stage edge-1, stage edge-2", "RollingOut", "", "1 2 0 0"},
		"one is under way":   {upgrade(with("edge-1 Rebooting")), three, nil, "edge-1", "", "RollingOut", "", "2 1 0 0"},
		"one fetches":        {upgrade(with("edge-1 Upgrading")), three, jobs1(Job{Kind: stage}), "", "", "RollingOut", "", "2 1 0 0"},
		"next one":           {upgrade(with("edge-1 Done")), three, nil, "edge-2 edge-3", "stage edge-2", "RollingOut", "", "1 1 1 0"},
		"all done":           {upgrade(with("edge-1 Done", "edge-2 Done", "edge-3 Done")), three, nil, "", "", "Complete", "0.2.0", "0 0 3 0"},
		"paused":             {upgrade(func(u *Upgrade) { u.Spec.Paused = true }), three, nil, "", "", "Paused", "", "3 0 0 0"},
		"paused, finishes":   {upgrade(with("edge-1 Draining"), func(u *Upgrade) { u.Spec.Paused = true }), three, nil, "edge-1", "uncordon edge-1", "MachineFailed", "edge-1: Failed", "2 0 0 1"},
		"one failed":         {upgrade(with("edge-1 Failed")), three, nil, "", "", "MachineFailed", "tried again when the spec is changed", "2 0 0 1"},
		"failed, goes on":    {upgrade(with("edge-1 Failed"), heedless), three, nil, "edge-2 edge-3", "stage edge-2", "RollingOut", "", "1 1 0 1"},
		"failed, over":       {upgrade(with("edge-1 Failed", "edge-2 Done", "edge-3 Done"), heedless), three, nil, "", "", "MachineFailed", "edge-1", "0 0 2 1"},
		"spec was changed":   {upgrade(with("edge-1 Failed", "edge-2 Done"), func(u *Upgrade) { u.Generation = 2 }), three, nil, "edge-1 edge-2 edge-3", "stage edge-1", "RollingOut", "", "2 1 0 0"},
		"changed under way":  {upgrade(with("edge-1 Rebooting"), func(u *Upgrade) { u.Generation = 2 }), three, nil, "edge-1", "", "RollingOut", "", "2 1 0 0"},
		"outside the window": {upgrade(weekend), three, nil, "", "", "OutsideWindow", "2026-11-28T02:00:00Z", "3 0 0 0"},
		"finishes outside":   {upgrade(weekend, with("edge-1 Rebooting")), three, nil, "edge-1", "", "RollingOut", "", "2 1 0 0"},
		"no node":            {upgrade(), nil, nil, "", "", "NoNodes", "", "0 0 0 0"},
		"selector":           {upgrade(only("edge-2")), three, nil, "edge-2", "stage edge-2", "RollingOut", "", "0 1 0 0"},
		"selector is wrong":  {upgrade(only("")), three, nil, "", "", "InvalidSelector", "", "0 0 0 0"},
		"no longer selected": {upgrade(only("edge-2"), with("edge-1 Done", "edge-3 Rebooting")), three, nil, "edge-3", "", "RollingOut", "edge-3", "1 1 0 0"},
		"node is gone":       {upgrade(with("edge-9 Rebooting")), three, nil, "edge-1 edge-2 edge-3", "stage edge-1", "RollingOut", "", "2 1 0 0"},
		"not Ready":          {upgrade(), []Node{node("edge-1", notReady), node("edge-2")}, nil, "edge-2", "stage edge-2", "RollingOut", "", "1 1 0 0"},
		"none Ready":         {upgrade(), []Node{node("edge-1", notReady)}, nil, "", "", "Waiting", "edge-1: Pending, the node is not Ready", "1 0 0 0"},
		"no machine API":     {upgrade(), []Node{node("edge-1", noAPI)}, nil, "", "", "Waiting", "annotations", "1 0 0 0"},
		"another Upgrade":    {upgrade(), three, func(w *World) { w.Taken["edge-1"] = "other" }, "edge-2 edge-3", "stage edge-2", "RollingOut", "", "2 1 0 0"},
		"did not answer":     {upgrade(), three, func(w *World) { w.Avoid["edge-1"] = now.Add(time.Second) }, "edge-2 edge-3", "stage edge-2", "RollingOut", "", "2 1 0 0"},
		"asked again":        {upgrade(), three, func(w *World) { w.Avoid["edge-1"] = now }, "edge-1 edge-2 edge-3", "stage edge-1", "RollingOut", "", "2 1 0 0"},
		"servers first":      {upgrade(), []Node{node("zeta", server), node("alpha")}, nil, "zeta", "stage zeta", "RollingOut", "", "1 1 0 0"},
		"server under way":   {upgrade(with("zeta Rebooting"), func(u *Upgrade) { u.Spec.Concurrency = 2 }), []Node{node("zeta", server), node("alpha")}, nil, "zeta", "", "RollingOut", "", "1 1 0 0"},
		"server not Ready":   {upgrade(), []Node{node("zeta", server, notReady), node("alpha")}, nil, "", "", "Waiting", "zeta", "2 0 0 0"},
		"servers done":       {upgrade(with("zeta Done")), []Node{node("zeta", server), node("alpha")}, nil, "alpha", "stage alpha", "RollingOut", "", "0 1 1 0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world(tc.nodes...)
			if tc.change != nil {
				tc.change(&w)
			}
			var asked []string
			for _, n := range ask(tc.upgrade, w) {
				asked = append(asked, n.Name)
				w.Answers[n.Name] = Answer{Running: "0.1.0"}
			}
			if got := strings.Join(asked, " "); got != tc.asked {
				t.Errorf("asks %q, want %q", got, tc.asked)
			}
			s, actions := plan(tc.upgrade, w)
			if got := doing(actions); got != tc.do {
				t.Errorf("to do: %q, want %q", got, tc.do)
			}
			if got := fmt.Sprint(s.Pending, s.Active, s.Done, s.Failed); got != tc.counts || s.Progress != fmt.Sprintf("%d/%d", s.Done, len(s.Nodes)) {
				t.Errorf("counts %s, %s, want %s", got, s.Progress, tc.counts)
			}
			c := meta.FindStatusCondition(s.Conditions, ConditionProgressing)
			if c.Reason != tc.state || !strings.Contains(c.Message, tc.message) || (c.Status == "True") != (tc.state == "RollingOut") {
				t.Errorf("Progressing %s %s: %s", c.Status, c.Reason, c.Message)
			}
			if complete := meta.IsStatusConditionTrue(s.Conditions, ConditionComplete); complete != (tc.state == "Complete") {
				t.Errorf("complete: %t", complete)
			}
		})
	}
}

func jobs1(j Job) func(*World) { return func(w *World) { w.Jobs["edge-1"] = j } }

func heedless(u *Upgrade) { u.Spec.PauseOnFailure = false }

func weekend(u *Upgrade) {
	u.Spec.Window = &Window{Days: []string{"sat", "sun"}, Start: "02:00", Duration: metav1.Duration{Duration: 2 * time.Hour}}
}

// only selects a node; "" makes a selector that is none.
func only(name string) func(*Upgrade) {
	return func(u *Upgrade) {
		u.Spec.NodeSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"name": name}}
		if name == "" {
			u.Spec.NodeSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "name", Operator: "Like"}}}
		}
	}
}

// Machines that run the version already are done at once, whatever the concurrency.
func TestSurvey(t *testing.T) {
	w := world(node("edge-1"), node("edge-2"), node("edge-3"), node("edge-4"))
	for name, version := range map[string]string{"edge-1": "0.1.0", "edge-2": wanted, "edge-3": "0.1.0", "edge-4": wanted} {
		w.Answers[name] = Answer{Running: version}
	}
	s, actions := plan(upgrade(), w)
	if s.Progress != "2/4" || doing(actions) != "stage edge-1" {
		t.Errorf("%s done, to do: %s", s.Progress, doing(actions))
	}
}

func TestKeyAccepted(t *testing.T) {
	for name, tc := range map[string]struct {
		answers map[string]Answer
		status  metav1.ConditionStatus
		message string
	}{
		"not asked yet": {nil, "Unknown", "each needs the key ed25519:KEY in its machine.api.keys, with the role operator"},
		"known":         {map[string]Answer{"edge-1": {Running: "0.1.0"}}, "True", "ed25519:KEY"},
		"unknown": {map[string]Answer{"edge-1": {Failure: keyUnknown}, "edge-2": {Running: "0.1.0"}}, "False",
			"add the key ed25519:KEY to machine.api.keys of edge-1, with the role operator"},
		"a reader": {map[string]Answer{"edge-1": {Failure: roleTooLow}, "edge-2": {Failure: keyUnknown}}, "False", "edge-1, edge-2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world(node("edge-1"), node("edge-2"))
			w.Answers = tc.answers
			s, _ := plan(upgrade(), w)
			c := meta.FindStatusCondition(s.Conditions, ConditionKeyAccepted)
			if c.Status != tc.status || !strings.Contains(c.Message, tc.message) {
				t.Errorf("%s: %s", c.Status, c.Message)
			}
		})
	}
}

// A plan changes nothing by itself, and is the same for the same world.
func TestPlanIsPure(t *testing.T) {
	u, w := upgrade(with("edge-1 Rebooting", "edge-2 Pending")), world(node("edge-1"), node("edge-2"))
	w.Answers["edge-1"] = Answer{Running: wanted}
	w.Answers["edge-2"] = Answer{Running: "0.1.0"}
	first, _ := plan(u, w)
	if u.Status.Nodes[0].Phase != Rebooting || len(u.Status.Conditions) > 0 {
		t.Errorf("the Upgrade was changed: %+v", u.Status)
	}
	second, _ := plan(u, w)
	if fmt.Sprint(first) != fmt.Sprint(second) {
		t.Errorf("%+v and %+v", first, second)
	}
	u.Status = first
	if third, actions := plan(u, w); fmt.Sprint(third.Nodes[0]) != fmt.Sprint(first.Nodes[0]) {
		t.Errorf("what is done is done: %+v, %s", third, doing(actions))
	}
}

// A machine that fails at once is the end of it, also when others were asked.
func TestFirstFailureStops(t *testing.T) {
	w := world(node("edge-1"), node("edge-2"))
	w.Answers = map[string]Answer{"edge-1": {Failure: refused, Text: "no disk"}, "edge-2": {Running: "0.1.0"}}
	if s, actions := plan(upgrade(), w); s.Failed != 1 || len(actions) > 0 {
		t.Errorf("%+v, to do: %s", s.Nodes, doing(actions))
	}
	if s, actions := plan(upgrade(heedless), w); s.Failed != 1 || doing(actions) != "stage edge-2" {
		t.Errorf("heedless: %+v, to do: %s", s.Nodes, doing(actions))
	}
}

// Another version is wanted while a machine is on its way to the one before: it gets there first.
func TestVersionChangesUnderWay(t *testing.T) {
	u, w := upgrade(with("edge-1 Rebooting")), world(node("edge-1"))
	u.Spec.Version, u.Generation = "0.3.0", 2
	w.Answers["edge-1"] = Answer{Running: wanted}
	s, actions := plan(u, w)
	if s.Nodes[0].Target != "0.3.0" || s.Done != 0 || meta.IsStatusConditionTrue(s.Conditions, ConditionComplete) || doing(actions) != "stage edge-1" {
		t.Errorf("%+v, to do: %s", s, doing(actions))
	}
	u, w = upgrade(with("edge-1 Upgrading")), world(node("edge-1")) // nothing is written yet
	u.Spec.Version, u.Generation = "0.3.0", 2
	w.Answers["edge-1"] = Answer{Running: "0.1.0"}
	if s, actions := plan(u, w); s.Nodes[0].Target != "0.3.0" || doing(actions) != "stage edge-1" {
		t.Errorf("%+v, to do: %s", s, doing(actions))
	}
}
