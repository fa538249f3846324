package fleet

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	draining "github.com/coracle-os/coracle/kube/drain"
)

// Pauses between looks at an Upgrade, unless something wakes the controller before.
const (
	pauseActive  = 10 * time.Second // while machines are being upgraded
	pauseWaiting = 30 * time.Second // while it waits for a machine
	pauseWindow  = 10 * time.Minute // at most, while it waits for the window: the clock may be set
	pauseAgain   = time.Second      // after a change: the next step may be possible
	pauseFailed  = 10 * time.Second // after an error
	avoidFor     = time.Minute      // a machine that could not be asked
	askLimit     = 10 * time.Second // for an answer
)

// Controller upgrades machines.
type Controller struct {
	store    store
	core     kubernetes.Interface
	machines Machines
	key      string // public
	record   func(u *Upgrade, e event)
	now      func() time.Time
	started  time.Time
	jobs     *jobs
	wake     chan struct{}
	avoid    map[string]time.Time // by node
}

func newController(s store, core kubernetes.Interface, machines Machines, key string, record func(*Upgrade, event)) *Controller {
	c := &Controller{
		store: s, core: core, machines: machines, key: key, record: record, now: time.Now, started: time.Now(),
		wake: make(chan struct{}, 1), avoid: map[string]time.Time{},
	}
	c.jobs = &jobs{core: core, machines: machines, wake: c.look, running: map[string]*running{}, rebooted: map[string]time.Time{}}
	return c
}

// look has the controller look at everything soon.
func (c *Controller) look() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run looks whenever it is woken, until ctx ends.
func (c *Controller) run(ctx context.Context, report func(problems []string)) {
	said := ""
	for {
		pause, err := c.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		problem := ""
		if err != nil {
			pause, problem = pauseFailed, err.Error()
			report([]string{"fleet: " + problem})
		} else if said != "" {
			report(nil)
		}
		if problem != said {
			if said = problem; problem != "" {
				slog.Warn("fleet", "error", problem)
			}
		}
		var timer <-chan time.Time // nil: only when woken
		if pause > 0 {
			timer = time.After(pause)
		}
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-timer:
		}
	}
}

// pass looks at every Upgrade once, and returns when it has to be done again; 0: when something happens.
func (c *Controller) pass(ctx context.Context) (time.Duration, error) {
	upgrades, err := c.store.list(ctx)
	if err != nil {
		return 0, err
	}
	nodes, err := c.nodes(ctx)
	if err != nil {
		return 0, err
	}
	c.jobs.keep(func(upgrade types.UID, node string) bool { return isActive(upgrades, upgrade, node) })
	again := time.Duration(0)
	for _, u := range upgrades {
		pause, err := c.handle(ctx, u, upgrades, nodes)
		if err != nil {
			return 0, err
		}
		if pause > 0 && (again == 0 || pause < again) {
			again = pause
		}
	}
	return again, c.uncordon(ctx, upgrades, nodes)
}

// nodes are those of the cluster, servers first.
func (c *Controller) nodes(ctx context.Context) ([]Node, error) {
	list, err := c.core.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"}) // from memory
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	var all []Node
	for i := range list.Items {
		all = append(all, nodeOf(&list.Items[i]))
	}
	slices.SortFunc(all, func(a, b Node) int {
		if a.Server != b.Server {
			if a.Server {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return all, nil
}

// handle brings one Upgrade further.
func (c *Controller) handle(ctx context.Context, u *Upgrade, all []*Upgrade, nodes []Node) (time.Duration, error) {
	if isComplete(u) {
		return 0, nil
	}
	w := World{
		Now: c.now(), Started: c.started, Nodes: nodes, Jobs: c.jobs.of(u.UID), Taken: taken(all, u), Avoid: c.avoid,
		Rebooted: c.jobs.reboots(), Key: c.key,
	}
	w.Answers = c.ask(ctx, ask(u, w))
	status, actions := plan(u, w)
	before := u.Status
	changed := !equality.Semantic.DeepEqual(before, status)
	if changed {
		u.Status = status
		err := c.store.save(ctx, u)
		switch {
		case apierrors.IsConflict(err), apierrors.IsNotFound(err): // it was changed, or deleted, meanwhile
			u.Status = before
			return pauseAgain, nil
		case err != nil:
			u.Status = before
			return 0, fmt.Errorf("status of Upgrade %s: %w", u.Name, err)
		}
		for _, e := range events(&before, &status) {
			c.record(u, e)
		}
	}
	c.jobs.forget(w.Jobs)
	for _, group := range byNode(actions) {
		c.jobs.start(ctx, u, group)
	}
	if changed {
		return pauseAgain, nil
	}
	return pauseFor(u, w.Now), nil
}

// ask asks machines at the same time.
func (c *Controller) ask(ctx context.Context, nodes []Node) map[string]Answer {
	var (
		mu      sync.Mutex
		wait    sync.WaitGroup
		answers = map[string]Answer{}
	)
	for _, n := range nodes {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askLimit)
			defer cancel()
			a := c.machines.Ask(ctx, n)
			mu.Lock()
			defer mu.Unlock()
			answers[n.Name] = a
		})
	}
	wait.Wait()
	for name, a := range answers {
		delete(c.avoid, name)
		if a.Failure != "" || a.Trial || a.Installing {
			c.avoid[name] = c.now().Add(avoidFor)
		}
	}
	return answers
}

// uncordon takes back the cordons of Upgrades that are no longer there, or that no longer do anything with the node.
func (c *Controller) uncordon(ctx context.Context, upgrades []*Upgrade, nodes []Node) error {
	for _, n := range nodes {
		name, ours := strings.CutPrefix(n.CordonedBy, kindUpgrade+" ")
		if !ours || slices.ContainsFunc(upgrades, func(u *Upgrade) bool { return u.Name == name && u.phaseOf(n.Name).active() }) {
			continue
		}
		if err := draining.Uncordon(ctx, c.core, n.Name); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// isComplete is whether nothing is left to do until the spec is changed. Machines that join later are not touched: they may be of
// a later version, which came by another Upgrade.
func isComplete(u *Upgrade) bool {
	return u.Status.ObservedGeneration == u.Generation && meta.IsStatusConditionTrue(u.Status.Conditions, ConditionComplete)
}

func isActive(upgrades []*Upgrade, uid types.UID, node string) bool {
	return slices.ContainsFunc(upgrades, func(u *Upgrade) bool { return u.UID == uid && u.phaseOf(node).active() })
}

// phaseOf is how far a node's machine is; empty: it is not in the Upgrade.
func (u *Upgrade) phaseOf(node string) Phase {
	for _, n := range u.Status.Nodes {
		if n.Name == node {
			return n.Phase
		}
	}
	return ""
}

// taken are the nodes that other Upgrades are busy with, and their names.
func taken(all []*Upgrade, but *Upgrade) map[string]string {
	nodes := map[string]string{}
	for _, u := range all {
		for _, n := range u.Status.Nodes {
			if u.UID != but.UID && n.Phase.active() {
				nodes[n.Name] = u.Name
			}
		}
	}
	return nodes
}

// byNode brings together what is to be done for one node.
func byNode(actions []Action) [][]Action {
	var groups [][]Action
	for _, a := range actions {
		i := slices.IndexFunc(groups, func(g []Action) bool { return g[0].Node.Name == a.Node.Name })
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], a)
	}
	return groups
}

// pauseFor is how long an Upgrade in which nothing has changed can be left alone.
func pauseFor(u *Upgrade, now time.Time) time.Duration {
	c := meta.FindStatusCondition(u.Status.Conditions, ConditionProgressing)
	if c == nil {
		return pauseAgain
	}
	switch c.Reason {
	case reasonRollingOut:
		return pauseActive
	case reasonWaiting, reasonNoNodes:
		return pauseWaiting
	case reasonWindow:
		_, next := u.Spec.Window.open(now)
		return max(pauseAgain, min(next.Sub(now), pauseWindow))
	}
	return 0
}

// reference is how events name an Upgrade.
func reference(u *Upgrade) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: Resource.GroupVersion().String(), Kind: kindUpgrade, Name: u.Name, UID: u.UID, ResourceVersion: u.ResourceVersion,
	}
}
