// Package component runs the parts of the kube process: an ordered list of components, each with what it needs to be
// ready before it starts, supervised until one fails or all are asked to stop.
//
// The life of a component:
//
//	waiting ──(all of After ready)──► starting ──(Ready says so)──► ready ──(Stop)──► stopped
//	                                      │                           │
//	                                      └───────► failed ◄──────────┘
//
// A component that fails ends the group, and with it the process: machined starts it again, pods keep running
// meanwhile. So does one that no longer lives. Only an Optional component may fail alone; its failure stays visible in the
// status.
package component

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Component is one part of the process.
type Component struct {
	Name string
	// After names the components that have to be ready before Run is called; they precede this one in the list.
	After []string
	// Run works until ctx is cancelled. Returning earlier is a failure, unless the component is OneShot.
	Run func(ctx context.Context) error
	// Ready is asked every [PollInterval] until it returns nil. A nil Ready: the component is ready once Run was called
	// (or, when OneShot, once Run has returned).
	Ready func(ctx context.Context) error
	// Live is asked every [LiveInterval] once the component is ready. One that does not return nil [LivePatience] times in a row
	// has failed, though it runs; [StarvedPatience] times if the process is starved, which a new start would make worse.
	// nil: it lives as long as it runs.
	Live func(ctx context.Context) error
	// OneShot says that Run does a job and returns.
	OneShot bool
	// Optional says that the cluster works without this component: it may fail without ending the process. An optional job
	// that failed is done again, after [RetryAfter] and then less and less often, up to every [RetryAtMost].
	Optional bool
	// StopTimeout is how long Run may take to return after its context was cancelled; 0 means [DefaultStopTimeout].
	StopTimeout time.Duration
}

// Defaults of the supervision.
const (
	PollInterval       = 100 * time.Millisecond
	DefaultStopTimeout = 5 * time.Second
	LiveInterval       = 10 * time.Second
	LivePatience       = 12 // small machines under load are slow to answer
	StarvedPatience    = 60
	RetryAfter         = 10 * time.Second
	RetryAtMost        = 5 * time.Minute
)

// Validate reports a list that could not be started: doubled names, or a component that needs one that is not before it.
func Validate(components []Component) error {
	var seen []string
	for _, c := range components {
		if slices.Contains(seen, c.Name) {
			return fmt.Errorf("component %q is in the list twice", c.Name)
		}
		for _, need := range c.After {
			if !slices.Contains(seen, need) {
				return fmt.Errorf("component %q starts after %q, which is not before it in the list", c.Name, need)
			}
		}
		seen = append(seen, c.Name)
	}
	return nil
}
