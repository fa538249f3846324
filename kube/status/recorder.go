// Package status knows how the kube process is: the state of its components, whether the apiserver is ready, and how this
// node and its pods are. It answers machined on the control socket.
package status

import (
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/coracle-os/coracle/kube/control"
)

// Recorder collects the states of components; it is the component package's Recorder.
type Recorder struct {
	now func() time.Time

	mu         sync.Mutex
	components []control.Component // in start order
	problems   map[string][]string // by who found them
	apiReady   bool
	stopping   bool
}

// NewRecorder returns an empty recorder.
func NewRecorder() *Recorder { return &Recorder{now: time.Now} }

// Set records the state of a component; the first call of a name gives it its place in the order.
func (r *Recorder) Set(name string, state control.State, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := control.Component{Name: name, State: state, Since: r.now().UTC()}
	if err != nil {
		c.Error = err.Error()
	}
	for i := range r.components {
		if r.components[i].Name == name {
			r.components[i] = c
			return
		}
	}
	r.components = append(r.components, c)
}

// SetProblems records what of the settings a part of the process could not do; nil: nothing.
func (r *Recorder) SetProblems(part string, problems []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problems == nil {
		r.problems = map[string][]string{}
	}
	r.problems[part] = problems
}

// SetAPIReady records whether the apiserver says that it is ready.
func (r *Recorder) SetAPIReady(ready bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apiReady = ready
}

// SetStopping records that the process was asked to stop.
func (r *Recorder) SetStopping() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping = true
}

// status fills in what the recorder knows.
func (r *Recorder) status() control.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	var problems []string
	for _, part := range slices.Sorted(maps.Keys(r.problems)) {
		problems = append(problems, r.problems[part]...)
	}
	return control.Status{
		PID:        os.Getpid(),
		Components: append([]control.Component(nil), r.components...),
		APIReady:   r.apiReady,
		Problems:   problems,
		Stopping:   r.stopping,
	}
}
