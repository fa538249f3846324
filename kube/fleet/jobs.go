package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-os/coracle/kube/control"
	draining "github.com/coracle-os/coracle/kube/drain"
)

// callLimit is how long a machine may take for an answer to a short call.
const callLimit = 20 * time.Second

// jobs do what takes its time. There is one for a node at a time.
type jobs struct {
	core     kubernetes.Interface
	machines Machines
	wake     func() // called when a job has got further

	mu       sync.Mutex
	running  map[string]*running  // by node; those that are over too, until they are taken off
	rebooted map[string]time.Time // by node
}

type running struct {
	upgrade types.UID
	stop    context.CancelFunc
	job     Job
}

// of are the jobs of an Upgrade, by node.
func (j *jobs) of(upgrade types.UID) map[string]Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := map[string]Job{}
	for node, r := range j.running {
		if r.upgrade == upgrade {
			all[node] = r.job
		}
	}
	return all
}

// reboots is when machines were told to restart.
func (j *jobs) reboots() map[string]time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.rebooted)
}

// forget takes jobs off that are over, once what came of them is stored.
func (j *jobs) forget(seen map[string]Job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for node, job := range seen {
		if r := j.running[node]; job.Over && r != nil && r.job.Over {
			delete(j.running, node)
		}
	}
}

// keep stops the long jobs that are no longer wanted.
func (j *jobs) keep(wanted func(upgrade types.UID, node string) bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for node, r := range j.running {
		switch long := r.job.Kind == stage || r.job.Kind == drain; {
		case wanted(r.upgrade, node):
		case r.job.Over:
			delete(j.running, node)
		case long:
			r.stop()
		}
	}
}

// start does the actions for one node, one after another.
func (j *jobs) start(ctx context.Context, u *Upgrade, actions []Action) {
	node := actions[0].Node.Name
	ctx, stop := context.WithCancel(ctx)
	r := &running{upgrade: u.UID, stop: stop, job: Job{Kind: actions[0].Kind}}
	j.mu.Lock()
	defer j.mu.Unlock()
	if old := j.running[node]; old != nil && !old.job.Over {
		stop()
		return // asked for again as long as it is needed
	}
	j.running[node] = r
	go func() {
		defer stop()
		for _, a := range actions {
			j.update(r, func(job *Job) { job.Kind = a.Kind })
			result := j.do(ctx, u, a, func(step string) { j.update(r, func(job *Job) { job.Step = step }) })
			if result.Failure != "" {
				slog.Warn("fleet: "+string(a.Kind), "upgrade", u.Name, "node", node, "error", result.Text)
			}
			j.update(r, func(job *Job) { job.Failure, job.Text, job.Version = result.Failure, result.Text, result.Version })
		}
		j.update(r, func(job *Job) { job.Over = true })
	}()
}

func (j *jobs) update(r *running, change func(*Job)) {
	j.mu.Lock()
	before := r.job
	change(&r.job)
	changed := r.job != before
	j.mu.Unlock()
	if changed {
		j.wake()
	}
}

// do does one action and returns how it went.
func (j *jobs) do(ctx context.Context, u *Upgrade, a Action, report func(step string)) Job {
	short, cancelShort := context.WithTimeout(ctx, callLimit)
	defer cancelShort()
	var (
		result Job
		err    error
	)
	switch a.Kind {
	case stage:
		result.Version, err = j.machines.Stage(ctx, a.Node, u.Spec.Artifact, report)
	case drain:
		var d control.Drained
		d, err = draining.Drain(ctx, j.core, draining.Options{Node: a.Node.Name, By: cordonedBy(u.Name), Deadline: a.Deadline})
		result.Text = drained(d)
	case reboot:
		if err = j.machines.Reboot(short, a.Node); err == nil {
			j.mu.Lock()
			j.rebooted[a.Node.Name] = time.Now()
			j.mu.Unlock()
		}
	case cancel:
		err = j.machines.Cancel(short, a.Node)
	case uncordon:
		err = draining.Uncordon(short, j.core, a.Node.Name)
	}
	if err != nil {
		result.Failure, result.Text = classify(err)
	}
	return result
}

// cordonedBy is how an Upgrade marks the nodes that it drains.
func cordonedBy(upgrade string) string { return kindUpgrade + " " + upgrade }

// drained says what came of the pods of a node.
func drained(d control.Drained) string {
	if d.Nowhere {
		return "pods have nowhere to go and stay"
	}
	text := fmt.Sprintf("%d pods left", len(d.Evicted))
	var stayed []string
	for _, s := range d.Stayed {
		stayed = append(stayed, fmt.Sprintf("%s (%s)", s.Pod, s.Reason))
	}
	if len(stayed) > 0 {
		text += ", these stay: " + list(stayed)
	}
	return text
}
