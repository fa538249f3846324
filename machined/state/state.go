// Package state is the one model of how the machine is doing. machined's parts write it; the console and the API
// show it.
package state

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/update"
)

// Machine is how a machine is doing at a moment.
type Machine struct {
	Name         string      `json:"name"`
	MachineID    string      `json:"machineID,omitempty"` // 32 hex digits, made at first boot
	Role         string      `json:"role,omitempty"`      // empty: no config yet
	Version      string      `json:"version"`             // of Coracle
	Kubernetes   string      `json:"kubernetes"`          // its version
	Arch         string      `json:"arch"`
	Board        Board       `json:"board"`
	Slot         string      `json:"slot,omitempty"` // a or b
	Config       Config      `json:"config"`
	Started      time.Time   `json:"started"` // of the kernel, by the clock as it is now
	Addresses    []Address   `json:"addresses,omitempty"`
	API          API         `json:"api"`
	Time         Time        `json:"time"`
	Data         Disk        `json:"data"`
	Memory       Memory      `json:"memory"`
	Kube         Kube        `json:"kube"`
	Upgrade      Upgrade     `json:"upgrade"`
	Install      Install     `json:"install,omitzero"`
	Conditions   []Condition `json:"conditions,omitempty"`   // what is wrong, the worst first
	ShuttingDown string      `json:"shuttingDown,omitempty"` // why: restart, power off, or asked by init
}

// Board is the kind of machine.
type Board struct {
	Model      string   `json:"model,omitempty"`      // for a person, such as Raspberry Pi 4 Model B Rev 1.4; empty: not known
	Compatible []string `json:"compatible,omitempty"` // of the device tree, the most specific first; empty: it has none
}

// Config is which machine config is in force, and what is known of others.
type Config struct {
	Source       string         `json:"source,omitempty"` // where the one in force is from; empty: there is none
	Sources      []ConfigSource `json:"sources,omitempty"`
	Digest       string         `json:"digest,omitempty"`       // SHA-256 of the file in force, hex
	TryUntil     time.Time      `json:"tryUntil,omitzero"`      // when the one in force is taken back, by the monotonic clock; zero: it is not
	StagedDigest string         `json:"stagedDigest,omitempty"` // of the one for the next boot; empty: none
}

// ConfigSource is a place where a config may be. They are kept in the order in which they were asked.
type ConfigSource struct {
	Name string `json:"name"`
	Used bool   `json:"used,omitempty"`
	Why  string `json:"why,omitempty"` // it was not used
}

// Address is an address of an interface.
type Address struct {
	Interface string `json:"interface"`
	Prefix    string `json:"prefix"` // 192.0.2.7/24
}

// API is where the machine API listens.
type API struct {
	Port        int    `json:"port"`
	Fingerprint string `json:"fingerprint"` // SHA256:… of the machine's key
}

// Time is the state of the clock.
type Time struct {
	Disabled bool      `json:"disabled,omitempty"` // by the config
	Synced   bool      `json:"synced"`
	Server   string    `json:"server,omitempty"` // that the clock was last set by
	LastSync time.Time `json:"lastSync,omitzero"`
	Problem  string    `json:"problem,omitempty"` // what the time servers said last, when none gave the time
}

// Disk is the DATA partition.
type Disk struct {
	Ready  bool   `json:"ready"`
	Device string `json:"device,omitempty"`
	Total  uint64 `json:"total"` // bytes
	Used   uint64 `json:"used"`  // bytes
}

// Memory is the machine's RAM, in bytes.
type Memory struct {
	Total     uint64 `json:"total"`
	Available uint64 `json:"available"`
}

// Phase of the kube process.
type Phase string

const (
	Off      Phase = "off"      // not wanted, or not possible yet
	Starting Phase = "starting" // the process runs, the node is not Ready
	Ready    Phase = "ready"    // the node is Ready
	Waiting  Phase = "waiting"  // it ended and is started again after a pause
	Stopping Phase = "stopping" //
)

// Kube is Kubernetes on this machine.
type Kube struct {
	Phase    Phase           `json:"phase"`
	PID      int             `json:"pid,omitempty"`
	NodeIP   string          `json:"nodeIP,omitempty"`
	Restarts int             `json:"restarts"`           // since machined started
	LastExit string          `json:"lastExit,omitempty"` // why it ended the last time
	Status   *control.Status `json:"status,omitempty"`   // what it says of itself; nil: it does not answer
}

// Upgrade is whether the version that runs is on trial, and how the last upgrade ended.
type Upgrade struct {
	TrialUntil time.Time       `json:"trialUntil,omitzero"` // when it is given up, by the monotonic clock; zero: nothing is on trial
	Last       *update.Outcome `json:"last,omitempty"`
}

// Steps of a machine that is to be installed on another disk, and so does not start Kubernetes.
const (
	InstallWaits  = "waiting"   // it cannot be, or not yet: a condition says why
	InstallCopies = "copying"   //
	InstallDone   = "installed" // and is to be started from there
)

// Install is how far a machine is that is to be installed on another disk.
type Install struct {
	Step  string `json:"step,omitempty"` // empty: it is not to be
	Disk  string `json:"disk,omitempty"` // for a person; empty: none is selected
	Done  uint64 `json:"done,omitempty"` // bytes written and read back
	Total uint64 `json:"total,omitempty"`
}

// Store holds the state. Its methods may be called from several goroutines.
type Store struct {
	mu         sync.Mutex
	machine    Machine
	conditions map[string]Condition
	changed    chan struct{} // closed and replaced at every change
}

// NewStore returns a store with a first state.
func NewStore(m Machine) *Store {
	return &Store{machine: m, conditions: map[string]Condition{}, changed: make(chan struct{})}
}

// Get returns the state as it is, for reading only, and a channel that is closed when it has changed.
func (s *Store) Get() (Machine, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.machine
	m.Addresses = slices.Clone(m.Addresses)
	m.Conditions = slices.SortedFunc(maps.Values(s.conditions), worstFirst)
	return m, s.changed
}

// Update changes the state. What change puts into pointers and slices must not be changed afterwards.
func (s *Store) Update(change func(*Machine)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.machine)
	s.notify()
}

func (s *Store) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}
