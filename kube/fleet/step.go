package fleet

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// mostAttempts is how often an artifact is fetched until it counts as a failure that another try does not mend.
	mostAttempts = 3
	// retryFetch is the pause after the first attempt; it grows with each.
	retryFetch = 30 * time.Second
	// rebootAgain is how long a machine that was told to restart may go on running before it is told again.
	rebootAgain = 2 * time.Minute
)

// machine is a node's machine while it is decided what is next for it.
type machine struct {
	World
	spec    *Spec
	node    Node
	status  NodeStatus
	actions []Action
}

// begin decides about a machine that is Pending and may be upgraded now.
func (m *machine) begin() {
	a, asked := m.Answers[m.node.Name]
	target := m.spec.Version
	m.sees(a)
	switch {
	case !asked:
	case a.Failure == refused:
		m.to(Failed, string(refused), a.Text)
	case a.Failure != "":
		m.to(Pending, string(a.Failure), a.Text)
	case a.runs(target):
		m.status.Target = target
		m.to(Done, reasonConfirmed, "")
	case a.Running == target:
		m.status.Target = target
		m.to(Rebooting, reasonOnTrial, "is on trial")
	case a.Trial:
		m.to(Pending, reasonOnTrial, "version "+a.Running+" is on trial")
	case a.Installing:
		m.to(Pending, reasonBusy, "somebody else upgrades it")
	default:
		m.status.Target = target
		if a.Staged == target {
			m.staged()
			return
		}
		m.fetch()
	}
}

// next decides about a machine that something is being done with.
func (m *machine) next() {
	m.sees(m.Answers[m.node.Name])
	switch m.status.Phase {
	case Upgrading:
		m.upgrading()
	case Draining:
		m.draining()
	case Rebooting:
		m.rebooting()
	}
}

func (m *machine) upgrading() {
	j, working := m.Jobs[m.node.Name]
	a, asked := m.Answers[m.node.Name]
	switch {
	case working && j.Kind == stage && j.Over:
		m.fetched(j)
	case working && j.Kind == stage:
		m.to(Upgrading, "", j.Step)
	case working || !asked:
	case a.Failure == refused:
		m.to(Failed, string(refused), a.Text)
	case a.Failure != "":
		m.waitFor(a, nil)
	case a.Staged == m.status.Target:
		m.staged()
	case a.Running == m.status.Target:
		m.to(Rebooting, reasonOnTrial, "is on trial")
	case a.Installing:
		m.to(Upgrading, reasonBusy, "an upgrade that was begun before still ends")
	case m.status.Target != m.spec.Version: // nor is the artifact the one of then
		m.to(Pending, "", "")
	case m.status.Reason == reasonRetrying && m.since() < retryFetch*time.Duration(m.status.Attempts):
	default:
		m.fetch()
	}
}

func (m *machine) fetch() {
	m.to(Upgrading, "", "fetches the artifact")
	m.do(Action{Kind: stage})
}

// fetched takes the result of fetching an artifact.
func (m *machine) fetched(j Job) {
	switch j.Failure {
	case "":
		if j.Version != m.status.Target {
			m.to(Failed, reasonWrong, fmt.Sprintf("the artifact is of version %s, not %s", j.Version, m.status.Target))
			m.do(Action{Kind: cancel})
			return
		}
		m.staged()
	case refused:
		m.to(Failed, string(refused), j.Text)
	case busy, keyUnknown, roleTooLow:
		m.to(Pending, string(j.Failure), j.Text)
	default:
		m.status.Attempts++
		if m.status.Attempts >= mostAttempts {
			m.to(Failed, reasonCannotFetch, j.Text)
			return
		}
		m.to(Upgrading, reasonRetrying, j.Text)
		m.status.Since = m.time()
	}
}

// staged decides about a machine that restarts into the version next.
func (m *machine) staged() {
	if m.spec.Drain.Deadline.Duration <= 0 {
		m.restart("")
		return
	}
	m.to(Draining, reasonStaged, "pods leave")
	m.do(Action{Kind: drain, Deadline: m.spec.Drain.Deadline.Duration})
}

func (m *machine) draining() {
	j, working := m.Jobs[m.node.Name]
	a, asked := m.Answers[m.node.Name]
	switch {
	case working && j.Kind == drain && j.Over:
		m.restart(j.Text) // also when not every pod left, or it went wrong: the deadline is the most that they get
	case working || !asked:
	case a.Failure != "":
		m.waitFor(a, []JobKind{uncordon})
	case a.Staged == m.status.Target:
		// By the stored time: a controller that is restarted again and again gets on all the same.
		deadline := m.spec.Drain.Deadline.Duration
		left := deadline - m.Now.Sub(m.status.Since.Time)
		if left <= 0 {
			m.restart("")
			return
		}
		m.do(Action{Kind: drain, Deadline: min(left, deadline)})
	case a.Running == m.status.Target:
		m.to(Rebooting, reasonOnTrial, "is on trial")
	default:
		m.to(Failed, reasonCancelled, "the version is staged no more: somebody cancelled the upgrade on the machine")
		m.do(Action{Kind: uncordon})
	}
}

// restart has the machine restart. drained says what came of its pods.
func (m *machine) restart(drained string) {
	m.to(Rebooting, "", joined("restarts", drained))
	m.do(Action{Kind: reboot})
}

func (m *machine) rebooting() {
	_, working := m.Jobs[m.node.Name]
	a, asked := m.Answers[m.node.Name]
	target := m.status.Target
	switch {
	case working || !asked:
	case a.Failure != "":
		m.waitFor(a, nil)
	case a.Running == target && a.Trial: // it knows itself how long it may be
		m.to(Rebooting, reasonOnTrial, "is on trial")
	case a.Running == target && m.node.Ready && m.node.CordonedBy == "":
		m.to(Done, reasonConfirmed, "")
	case a.Running == target:
		m.wait(reasonNotReady, "runs the version; its node is not Ready yet, or takes no pods yet", nil)
	case a.Staged == target:
		if last, told := m.Rebooted[m.node.Name]; !told || m.Now.Sub(last) > rebootAgain {
			m.do(Action{Kind: reboot})
		}
		m.wait("", "is to restart", []JobKind{cancel, uncordon})
	case a.RolledBack == target:
		m.to(Failed, reasonRolledBack, a.Why)
	default:
		m.wait("", "runs version "+a.Running, nil)
	}
}

// waitFor waits for a machine that does not answer as it should.
func (m *machine) waitFor(a Answer, undo []JobKind) {
	m.wait(string(a.Failure), a.Text, undo)
}

// wait leaves a machine as it is, until the time is over. undo is done then.
func (m *machine) wait(reason, message string, undo []JobKind) {
	if m.since() <= m.spec.Timeout.Duration {
		m.to(m.status.Phase, reason, message)
		return
	}
	m.to(Failed, reasonTimeout, fmt.Sprintf("%s did not end within %s: %s", m.status.Phase, m.spec.Timeout.Duration, message))
	m.actions = nil
	for _, kind := range undo {
		m.do(Action{Kind: kind})
	}
}

// since is how long the phase lasts, as far as this controller has seen it.
func (m *machine) since() time.Duration {
	began := m.status.Since.Time
	if began.Before(m.Started) {
		began = m.Started
	}
	return m.Now.Sub(began)
}

// longestMessage bounds what a machine says, in bytes: a status has many of them.
const longestMessage = 500

func (m *machine) to(phase Phase, reason, message string) {
	if phase != m.status.Phase {
		m.status.Phase, m.status.Since = phase, m.time()
		m.status.Attempts = 0
	}
	if len(message) > longestMessage {
		message = message[:longestMessage] + "…"
	}
	m.status.Reason, m.status.Message = reason, message
}

// time is now, as precise as the API keeps it.
func (m *machine) time() metav1.Time { return metav1.NewTime(m.Now.UTC().Truncate(time.Second)) }

func (m *machine) do(a Action) {
	a.Node = m.node
	m.actions = append(m.actions, a)
}

// sees notes which version a machine says that it runs.
func (m *machine) sees(a Answer) {
	if a.Running != "" {
		m.status.Version = a.Running
	}
}

func joined(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}
