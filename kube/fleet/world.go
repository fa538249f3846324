package fleet

import (
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-os/coracle/kube/control"
)

// World is all that decisions depend on, besides the Upgrade itself.
type World struct {
	Now     time.Time
	Started time.Time // of the controller: nothing that it had no chance to see is overdue

	Nodes    []Node               // of the cluster, in the order in which they are upgraded
	Answers  map[string]Answer    // of the machines that were asked just now, by node
	Jobs     map[string]Job       // what the controller does or did with a machine, by node
	Taken    map[string]string    // nodes that another Upgrade is busy with, and its name
	Avoid    map[string]time.Time // nodes whose machines did not answer as wished, and until when they are not asked again
	Rebooted map[string]time.Time // when the controller had a machine restart
	Key      string               // the controller's public key
}

// Node is what has to be known of a node.
type Node struct {
	Name        string
	Labels      map[string]string
	Server      bool
	Ready       bool
	Address     string // host:port of the machine API; empty: not known
	Fingerprint string // of the machine's key
	CordonedBy  string // who cordoned it to drain it; empty: nobody
}

// labelServer is on nodes that run the control plane.
const labelServer = "node-role.kubernetes.io/control-plane"

// nodeOf reads a Node object.
func nodeOf(n *corev1.Node) Node {
	_, server := n.Labels[labelServer]
	node := Node{Name: n.Name, Labels: n.Labels, Server: server, CordonedBy: n.Annotations[control.AnnotationCordoned]}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			node.Ready = c.Status == corev1.ConditionTrue
		}
	}
	port, fingerprint := n.Annotations[control.AnnotationAPIPort], n.Annotations[control.AnnotationFingerprint]
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP && port != "" && fingerprint != "" {
			node.Address, node.Fingerprint = net.JoinHostPort(a.Address, port), fingerprint
			break
		}
	}
	return node
}

// Failure is why a machine did not do what it was asked for. Its values are reasons of a node's status.
type Failure string

const (
	unreachable Failure = "Unreachable"
	otherKey    Failure = "OtherMachineKey"
	keyUnknown  Failure = "KeyUnknown"
	roleTooLow  Failure = "RoleTooLow"
	refused     Failure = "Refused" // another try would not change it
	busy        Failure = reasonBusy
)

// Answer is what a machine says of its slots.
type Answer struct {
	Failure Failure // empty: it answered
	Text    string  // of the failure

	Running    string // version
	Trial      bool   // it is on trial
	Staged     string // version that is tried at the next boot; empty: none
	Installing bool   // an upgrade is being written
	RolledBack string // the version that was tried last, if it was rolled back
	Why        string // it was
}

// runs is whether the machine runs a version and has confirmed it.
func (a Answer) runs(version string) bool { return a.Failure == "" && a.Running == version && !a.Trial }

// JobKind is what a job does.
type JobKind string

const (
	stage    JobKind = "stage"    // have the artifact written into the idle slot
	drain    JobKind = "drain"    // let pods leave
	reboot   JobKind = "reboot"   // restart the machine
	cancel   JobKind = "cancel"   // take back what is staged
	uncordon JobKind = "uncordon" // let pods come again
)

// Job is something that takes its time.
type Job struct {
	Kind    JobKind
	Step    string // how far it is
	Over    bool   // and then:
	Failure Failure
	Text    string // why it failed, or what came of it
	Version string // that was staged
}

// Action is something to do once the status is stored.
type Action struct {
	Kind     JobKind
	Node     Node
	Deadline time.Duration // of a drain
}
