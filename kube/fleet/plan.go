package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// plan decides what the status of an Upgrade is to be, and what is to be done once that is stored. It changes nothing.
func plan(u *Upgrade, w World) (Status, []Action) {
	r, err := prepare(u, w)
	if err != nil {
		r.conclude(condition{reasonSelector, err.Error()})
		return r.status, nil
	}
	var actions []Action
	for i := range r.status.Nodes {
		if !r.status.Nodes[i].Phase.active() {
			continue
		}
		m := r.machine(i)
		m.next()
		r.status.Nodes[i] = r.waits(m.status, m.node) // done with a version that is no longer wanted, perhaps
		actions = append(actions, m.actions...)
	}
	free := r.free()
	for _, i := range r.candidates() {
		a, asked := w.Answers[r.status.Nodes[i].Name]
		if !asked || free <= 0 && !a.runs(u.Spec.Version) {
			continue
		}
		m := r.machine(i)
		m.begin()
		r.status.Nodes[i] = m.status
		actions = append(actions, m.actions...)
		if m.status.Phase.active() {
			free--
		}
		if m.status.Phase == Failed && u.Spec.PauseOnFailure {
			break
		}
	}
	r.conclude(condition{})
	return r.status, actions
}

// ask are the nodes whose machines have to be asked before it can be planned: those that something is being done with, and the
// next ones.
func ask(u *Upgrade, w World) []Node {
	r, err := prepare(u, w)
	if err != nil {
		return nil
	}
	var nodes []Node
	for _, s := range r.status.Nodes {
		if _, working := w.Jobs[s.Name]; s.Phase.active() && !working {
			nodes = append(nodes, r.nodes[s.Name])
		}
	}
	if r.free() <= 0 {
		return nodes
	}
	left := max(r.free(), survey)
	for _, i := range r.candidates() {
		if n := r.nodes[r.status.Nodes[i].Name]; left > 0 && !w.Avoid[n.Name].After(w.Now) {
			nodes = append(nodes, n)
			left--
		}
	}
	return nodes
}

// survey is how many machines are asked at once whether they are done already.
const survey = 10

// rollout is an Upgrade with the nodes that it concerns.
type rollout struct {
	World
	spec   *Spec
	status Status
	nodes  map[string]Node // of status.Nodes
	order  map[string]int  // of w.Nodes
}

// prepare brings the status in line with the spec and the nodes that there are.
func prepare(u *Upgrade, w World) (*rollout, error) {
	r := &rollout{World: w, spec: &u.Spec, status: *u.Status.copy(), nodes: map[string]Node{}, order: map[string]int{}}
	changed := r.status.ObservedGeneration != u.Generation
	r.status.ObservedGeneration = u.Generation
	selector := labels.Everything()
	if u.Spec.NodeSelector != nil {
		var err error
		if selector, err = metav1.LabelSelectorAsSelector(u.Spec.NodeSelector); err != nil {
			return r, err
		}
	}
	before := map[string]NodeStatus{}
	for _, s := range r.status.Nodes {
		before[s.Name] = s
	}
	r.status.Nodes = nil
	for i, n := range w.Nodes {
		s, known := before[n.Name]
		if !selector.Matches(labels.Set(n.Labels)) && !s.Phase.active() {
			continue
		}
		over := s.Phase == Done || s.Phase == Failed
		if !known || over && changed { // whatever was changed, those that failed are tried again
			s = NodeStatus{Name: n.Name, Phase: Pending, Version: s.Version, Since: metav1.NewTime(w.Now.UTC().Truncate(time.Second))}
		}
		r.nodes[n.Name], r.order[n.Name] = n, i
		r.status.Nodes = append(r.status.Nodes, r.waits(s, n))
	}
	slices.SortFunc(r.status.Nodes, func(a, b NodeStatus) int { return cmp.Compare(a.Name, b.Name) })
	return r, nil
}

// waits says of a machine that is Pending why it cannot be asked, if so.
func (r *rollout) waits(s NodeStatus, n Node) NodeStatus {
	if s.Phase == Done && s.Target != r.spec.Version {
		s = NodeStatus{Name: s.Name, Phase: Pending, Version: s.Version, Since: s.Since}
	}
	if s.Phase != Pending {
		return s
	}
	reason, message := "", ""
	switch by := r.Taken[n.Name]; {
	case n.Address == "":
		reason, message = reasonNoAPI, "the node's annotations do not say where its machine API is"
	case !n.Ready:
		reason, message = reasonNotReady, "the node is not Ready"
	case by != "":
		reason, message = reasonElsewhere, "Upgrade "+by+" upgrades it"
	case slices.Contains([]string{reasonNoAPI, reasonNotReady, reasonElsewhere}, s.Reason): // no longer
	default:
		return s
	}
	s.Reason, s.Message = reason, message
	return s
}

// candidates are those that may be begun with now, servers first: a kubelet must not be newer than the API.
func (r *rollout) candidates() []int {
	if open, _ := r.spec.Window.open(r.Now); !open || r.spec.Paused || r.spec.PauseOnFailure && r.count(Failed) > 0 {
		return nil
	}
	var list []int
	servers := false // some are still to be upgraded
	for i, s := range r.status.Nodes {
		n := r.nodes[s.Name]
		servers = servers || n.Server && (s.Phase == Pending || s.Phase.active())
		if s.Phase == Pending && n.Address != "" && n.Ready && r.Taken[n.Name] == "" {
			list = append(list, i)
		}
	}
	if servers {
		list = slices.DeleteFunc(list, func(i int) bool { return !r.nodes[r.status.Nodes[i].Name].Server })
	}
	slices.SortFunc(list, func(a, b int) int {
		return cmp.Compare(r.order[r.status.Nodes[a].Name], r.order[r.status.Nodes[b].Name])
	})
	return list
}

// free is how many more machines may be upgraded at the same time.
func (r *rollout) free() int {
	return int(r.spec.Concurrency) - r.count(Upgrading) - r.count(Draining) - r.count(Rebooting)
}

func (r *rollout) count(p Phase) int {
	n := 0
	for _, s := range r.status.Nodes {
		if s.Phase == p {
			n++
		}
	}
	return n
}

func (r *rollout) machine(i int) *machine {
	s := r.status.Nodes[i]
	return &machine{World: r.World, spec: r.spec, node: r.nodes[s.Name], status: s}
}

// copy is a status that shares nothing with s.
func (s *Status) copy() *Status {
	c := *s
	c.Nodes, c.Conditions = slices.Clone(s.Nodes), slices.Clone(s.Conditions)
	return &c
}

// list writes names, not more than a few.
func list(names []string) string {
	const most = 5
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
