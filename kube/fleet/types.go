// Package fleet upgrades the machines of a cluster, a few at a time, as Upgrade resources ask for it.
//
// The life of a machine in an Upgrade:
//
//	Pending ──► Upgrading ──► Draining ──► Rebooting ──► Done
//	   ▲            │             │            │
//	   └─(busy)─────┤             │            ├──(rolled back)──► Failed
//	                └─(refused)───┴────────────┴─────────────────►
//
// Upgrading: the machine fetches the artifact, writes it into its idle slot and checks it (PullUpgrade, staged). Draining: its
// pods leave, where they have somewhere to go. Rebooting: it restarts into the version, which is on trial until the machine
// confirms it or rolls it back.
//
// All that is known is in the resource's status and in the machines: the controller may end at any moment, also because its own
// machine restarts, and goes on from there. The status is stored before anything is done, so nothing is begun that is not known.
// [plan] decides, without doing; [Controller] asks, stores and does.
package fleet

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Resource is the Upgrade resource; kube/addons/manifests/fleet.yaml defines it, with what is valid and the defaults.
var Resource = schema.GroupVersionResource{Group: "coracle.dev", Version: "v1alpha1", Resource: "upgrades"}

const kindUpgrade = "Upgrade"

// Upgrade brings machines to a version.
type Upgrade struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec   Spec   `json:"spec"`
	Status Status `json:"status,omitzero"`
}

// Spec is what is asked for.
type Spec struct {
	Artifact       string                `json:"artifact"`
	Version        string                `json:"version"`
	NodeSelector   *metav1.LabelSelector `json:"nodeSelector,omitempty"`
	Concurrency    int32                 `json:"concurrency"`
	Drain          Drain                 `json:"drain"`
	Window         *Window               `json:"window,omitempty"`
	Timeout        metav1.Duration       `json:"timeout"`
	PauseOnFailure bool                  `json:"pauseOnFailure"`
	Paused         bool                  `json:"paused,omitempty"`
}

// Drain is how pods leave a machine before it restarts.
type Drain struct {
	Deadline metav1.Duration `json:"deadline"` // 0: they do not
}

// Window is when machines may begin to be upgraded, in UTC.
type Window struct {
	Days     []string        `json:"days,omitempty"` // sun to sat; none: every day
	Start    string          `json:"start"`          // 15:04
	Duration metav1.Duration `json:"duration"`
}

// Status is how far it is.
type Status struct {
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	Progress string `json:"progress,omitempty"` // 3/7
	Total    int32  `json:"total"`
	Pending  int32  `json:"pending"`
	Active   int32  `json:"active"`
	Done     int32  `json:"done"`
	Failed   int32  `json:"failed"`
	Current  string `json:"current,omitempty"` // active nodes, for people

	Nodes      []NodeStatus       `json:"nodes,omitempty"` // in the order of their names
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// NodeStatus is how far a node's machine is.
type NodeStatus struct {
	Name     string      `json:"name"`
	Phase    Phase       `json:"phase"`
	Reason   string      `json:"reason,omitempty"`
	Message  string      `json:"message,omitempty"`
	Version  string      `json:"version,omitempty"` // that it ran when it was asked last
	Target   string      `json:"target,omitempty"`  // that it is brought to, once it was begun
	Attempts int32       `json:"attempts,omitempty"`
	Since    metav1.Time `json:"since,omitzero"` // of the phase, or of the last attempt
}

// Phase of a machine.
type Phase string

// Phases in their order.
const (
	Pending   Phase = "Pending"
	Upgrading Phase = "Upgrading"
	Draining  Phase = "Draining"
	Rebooting Phase = "Rebooting"
	Done      Phase = "Done"
	Failed    Phase = "Failed"
)

// active is whether something is being done with the machine.
func (p Phase) active() bool { return p == Upgrading || p == Draining || p == Rebooting }

// Conditions of an Upgrade.
const (
	ConditionProgressing = "Progressing" // machines are being upgraded; if not, its reason says what is waited for
	ConditionComplete    = "Complete"    // all machines run the version and have confirmed it
	ConditionKeyAccepted = "KeyAccepted" // machines let the controller in
)

// Reasons, of conditions and of nodes.
const (
	reasonRollingOut    = "RollingOut"
	reasonComplete      = "Complete"
	reasonPaused        = "Paused"
	reasonMachineFailed = "MachineFailed"
	reasonWindow        = "OutsideWindow"
	reasonWaiting       = "Waiting"
	reasonNoNodes       = "NoNodes"
	reasonSelector      = "InvalidSelector"

	reasonKeyAccepted = "Accepted"
	reasonNotAsked    = "NotAsked"

	reasonNoAPI       = "MachineAPIUnknown"
	reasonNotReady    = "NotReady"
	reasonElsewhere   = "InAnotherUpgrade"
	reasonBusy        = "Busy"
	reasonRetrying    = "Retrying"
	reasonStaged      = "Staged"
	reasonOnTrial     = "OnTrial"
	reasonConfirmed   = "Confirmed"
	reasonRolledBack  = "RolledBack"
	reasonTimeout     = "Timeout"
	reasonCancelled   = "Cancelled"
	reasonWrong       = "WrongVersion"
	reasonCannotFetch = "CannotFetch"
)
