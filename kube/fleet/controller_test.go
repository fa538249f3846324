package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/coracle-os/coracle/kube/control"
	draining "github.com/coracle-os/coracle/kube/drain"
)

// fakeMachine is a machine with two slots.
type fakeMachine struct {
	answer  Answer
	away    int  // how often it does not answer yet
	trial   int  // how often it is on trial yet
	bad     bool // what it boots into is rolled back
	blocked bool // fetching lasts until it is given up
	reboots int
}

// plant are the machines of a cluster.
type plant struct {
	t    *testing.T
	core kubernetes.Interface

	mu       sync.Mutex
	machines map[string]*fakeMachine
	log      []string
	down     int // machines that are away now
	mostDown int
}

func (p *plant) Ask(ctx context.Context, n Node) Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.machines[n.Name]
	switch {
	case m.away > 1:
		m.away--
		return Answer{Failure: unreachable, Text: "no route to host"}
	case m.away == 1: // it has booted, and its kube has started
		m.away = 0
		p.down--
		if err := draining.Uncordon(context.WithoutCancel(ctx), p.core, n.Name); err != nil {
			p.t.Error(err)
		}
	}
	if m.trial > 0 {
		m.trial--
		m.answer.Trial = m.trial > 0
	}
	return m.answer
}

func (p *plant) Stage(ctx context.Context, n Node, artifact string, report func(string)) (string, error) {
	report("write")
	p.mu.Lock()
	m := p.machines[n.Name]
	blocked := m.blocked
	p.mu.Unlock()
	if blocked {
		<-ctx.Done()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	p.log = append(p.log, "stage "+n.Name)
	if artifact != "https://a.example/b" {
		return "", connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("no artifact at %s", artifact))
	}
	m.answer.Staged = wanted
	return wanted, nil
}

func (p *plant) Cancel(context.Context, Node) error { return nil }

func (p *plant) Reboot(_ context.Context, n Node) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, "reboot "+n.Name)
	m := p.machines[n.Name]
	if m.away == 0 {
		p.down++
	}
	p.mostDown = max(p.mostDown, p.down)
	m.away, m.reboots = 3, m.reboots+1
	switch {
	case m.answer.Staged == "":
	case m.bad:
		m.answer = Answer{Running: m.answer.Running, RolledBack: m.answer.Staged, Why: "its kernel panicked"}
	default:
		m.answer, m.trial = Answer{Running: m.answer.Staged, Trial: true}, 3
	}
	return nil
}

func (p *plant) did() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.log, ", ")
}

// test is a cluster with a controller.
type test struct {
	*testing.T
	plant   *plant
	objects *dynamicfake.FakeDynamicClient
	core    *fake.Clientset
	c       *Controller
	clock   time.Time
	events  []string
}

func newTest(t *testing.T, u *Upgrade, names ...string) *test {
	t.Helper()
	s := &test{T: t, clock: now, core: fake.NewClientset()}
	s.plant = &plant{t: t, core: s.core, machines: map[string]*fakeMachine{}}
	for _, name := range names {
		n := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}, Annotations: map[string]string{
				control.AnnotationAPIPort: "50000", control.AnnotationFingerprint: "SHA256:x",
			}},
			Status: corev1.NodeStatus{
				Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
				Addresses:  []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}, {Type: corev1.NodeInternalIP, Address: "192.0.2.7"}},
			},
		}
		if strings.HasPrefix(name, "server") {
			n.Labels[labelServer] = ""
		}
		if err := s.core.Tracker().Add(n); err != nil {
			t.Fatal(err)
		}
		s.plant.machines[name] = &fakeMachine{answer: Answer{Running: "0.1.0"}}
	}
	o := &unstructured.Unstructured{}
	if err := convert(u, &o.Object); err != nil {
		t.Fatal(err)
	}
	o.SetAPIVersion(Resource.GroupVersion().String())
	o.SetKind(kindUpgrade)
	s.objects = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{Resource: "UpgradeList"}, o)
	s.restart()
	return s
}

// restart replaces the controller, as a restart of kube does.
func (s *test) restart() {
	var client dynamic.ResourceInterface = s.objects.Resource(Resource)
	s.c = newController(store{client}, s.core, s.plant, "ed25519:KEY", func(_ *Upgrade, e event) { s.events = append(s.events, e.reason+" "+e.message) })
	s.c.now = func() time.Time { return s.clock }
	s.c.started = s.clock
}

// step has the controller look once, and waits until its jobs are over.
func (s *test) step() {
	s.Helper()
	s.clock = s.clock.Add(10 * time.Second)
	if _, err := s.c.pass(s.Context()); err != nil {
		s.Fatal(err)
	}
	for s.busy() {
		select {
		case <-s.c.wake:
		case <-time.After(10 * time.Second):
			s.Fatal("a job does not end")
		}
	}
}

func (s *test) busy() bool {
	s.c.jobs.mu.Lock()
	defer s.c.jobs.mu.Unlock()
	for node, r := range s.c.jobs.running {
		if !r.job.Over && !s.plant.machines[node].blocked {
			return true
		}
	}
	return false
}

func (s *test) upgrade() *Upgrade {
	s.Helper()
	all, err := s.c.store.list(s.Context())
	if err != nil || len(all) != 1 {
		s.Fatalf("%d Upgrades, %v", len(all), err)
	}
	return all[0]
}

// until steps until a condition of the Upgrade has a reason.
func (s *test) until(reason string) *Upgrade {
	s.Helper()
	for range 100 {
		s.step()
		u := s.upgrade()
		if c := meta.FindStatusCondition(u.Status.Conditions, ConditionProgressing); c != nil && c.Reason == reason {
			return u
		}
	}
	s.Fatalf("never %s: %+v", reason, s.upgrade().Status)
	return nil
}

func (s *test) cordoned() (names []string) {
	list, err := s.core.CoreV1().Nodes().List(s.Context(), metav1.ListOptions{})
	if err != nil {
		s.Fatal(err)
	}
	for _, n := range list.Items {
		if n.Spec.Unschedulable {
			names = append(names, n.Name+" by "+n.Annotations[control.AnnotationCordoned])
		}
	}
	return names
}

func TestControllerRollsThrough(t *testing.T) {
	s := newTest(t, upgrade(), "edge-1", "edge-2", "server-1")
	u := s.until(reasonComplete)
	const want = "stage server-1, reboot server-1, stage edge-1, reboot edge-1, stage edge-2, reboot edge-2"
	if got := s.plant.did(); got != want || s.plant.mostDown != 1 {
		t.Errorf("did %s, %d down at once", got, s.plant.mostDown)
	}
	if u.Status.Progress != "3/3" || u.phaseOf("edge-2") != Done || u.Status.Nodes[0].Version != wanted {
		t.Errorf("%+v", u.Status)
	}
	if left := s.cordoned(); len(left) > 0 {
		t.Errorf("still cordoned: %v", left)
	}
	for _, e := range []string{"Upgrading edge-1: from version 0.1.0 to 0.2.0", "Draining edge-1", "Rebooting edge-1: restarts; 0 pods left", "Upgraded edge-1", "Complete all machines"} {
		if !slices.ContainsFunc(s.events, func(have string) bool { return strings.HasPrefix(have, e) }) {
			t.Errorf("no event %q in %q", e, s.events)
		}
	}
	// It is over: a machine that joins is left alone.
	s.plant.machines["edge-3"] = &fakeMachine{answer: Answer{Running: "0.3.0"}}
	n, _ := s.core.CoreV1().Nodes().Get(t.Context(), "edge-1", metav1.GetOptions{})
	n = n.DeepCopy()
	n.Name, n.ResourceVersion = "edge-3", ""
	if err := s.core.Tracker().Add(n); err != nil {
		t.Fatal(err)
	}
	s.step()
	s.step()
	if got := s.plant.did(); got != want {
		t.Errorf("did %s", got)
	}
}

func TestControllerSingleServer(t *testing.T) {
	s := newTest(t, upgrade(), "server-1")
	s.until(reasonComplete)
	if !slices.Contains(s.events, "Rebooting server-1: restarts; pods have nowhere to go and stay") {
		t.Errorf("events %q", s.events)
	}
}

// The controller may end at any moment, as it does when its own machine restarts.
func TestControllerRestarts(t *testing.T) {
	s := newTest(t, upgrade(), "edge-1", "server-1")
	for range 100 {
		s.step()
		if isComplete(s.upgrade()) {
			break
		}
		s.restart()
	}
	if got := s.upgrade().Status.Progress; got != "2/2" {
		t.Fatalf("%s: %+v", got, s.upgrade().Status)
	}
	for name, m := range s.plant.machines {
		if m.reboots != 1 {
			t.Errorf("%s was restarted %d times", name, m.reboots)
		}
	}
}

func TestControllerPausesAfterRollBack(t *testing.T) {
	s := newTest(t, upgrade(), "edge-1", "edge-2", "edge-3")
	s.plant.machines["edge-2"].bad = true
	u := s.until(reasonMachineFailed)
	if u.phaseOf("edge-1") != Done || u.phaseOf("edge-2") != Failed || u.phaseOf("edge-3") != Pending || s.plant.machines["edge-3"].reboots > 0 {
		t.Errorf("%+v", u.Status.Nodes)
	}
	if !slices.Contains(s.events, "RolledBack edge-2: its kernel panicked") {
		t.Errorf("events %q", s.events)
	}
	// Somebody mends it, and touches the spec.
	s.plant.machines["edge-2"].bad = false
	o, err := s.objects.Resource(Resource).Get(t.Context(), "u", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o.SetGeneration(2)
	if _, err := s.objects.Resource(Resource).Update(t.Context(), o, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if u := s.until(reasonComplete); u.Status.Progress != "3/3" {
		t.Errorf("%+v", u.Status)
	}
}

// Nothing is done that could not be stored before.
func TestControllerConflict(t *testing.T) {
	s := newTest(t, upgrade(), "edge-1")
	conflicts := 2
	s.objects.PrependReactor("update", "upgrades", func(clienttesting.Action) (bool, runtime.Object, error) {
		if conflicts--; conflicts < 0 {
			return false, nil, nil
		}
		return true, nil, apierrors.NewConflict(Resource.GroupResource(), "u", nil)
	})
	s.step()
	s.step()
	if did := s.plant.did(); did != "" || len(s.events) > 0 {
		t.Errorf("did %s, said %q", did, s.events)
	}
	s.until(reasonComplete)
}

func TestControllerKeyUnknown(t *testing.T) {
	s := newTest(t, upgrade(), "edge-1")
	m := s.plant.machines["edge-1"]
	m.answer = Answer{Failure: keyUnknown, Text: "no"}
	u := s.until(reasonWaiting)
	if c := meta.FindStatusCondition(u.Status.Conditions, ConditionKeyAccepted); c.Status != metav1.ConditionFalse {
		t.Errorf("%+v", c)
	}
	if !slices.ContainsFunc(s.events, func(e string) bool { return strings.HasPrefix(e, "KeyUnknown add the key ed25519:KEY") }) {
		t.Errorf("events %q", s.events)
	}
	m.answer = Answer{Running: "0.1.0"}
	s.until(reasonComplete)
}

func TestControllerDeletedWhileItWorks(t *testing.T) {
	s := newTest(t, upgrade(), "edge-1", "edge-2")
	s.plant.machines["edge-1"].blocked = true
	s.step()
	select {
	case <-s.c.wake: // it writes
	case <-time.After(10 * time.Second):
		t.Fatal("the job does not say how far it is")
	}
	s.step()
	if u := s.upgrade(); u.phaseOf("edge-1") != Upgrading || u.Status.Nodes[0].Message != "write" {
		t.Fatalf("%+v", u.Status)
	}
	// As if it had been draining when the controller before this one ended.
	if _, err := draining.Drain(t.Context(), s.core, draining.Options{Node: "edge-2", By: cordonedBy("u"), Deadline: time.Second}); err != nil {
		t.Fatal(err)
	}
	if err := s.objects.Resource(Resource).Delete(t.Context(), "u", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.step()
	s.plant.machines["edge-1"].blocked = false // what it waits for is the end of its context
	s.step()
	s.step()
	if s.busy() || len(s.c.jobs.running) > 0 {
		t.Error("the job still runs")
	}
	if left := s.cordoned(); len(left) > 0 {
		t.Errorf("still cordoned: %v", left)
	}
}

// Cordons of people, and of what is under way, are left alone.
func TestUncordonsOnlyItsOwn(t *testing.T) {
	s := newTest(t, upgrade(with("edge-1 Draining")), "edge-1", "edge-2", "edge-3", "edge-4")
	s.plant.machines["edge-1"].answer = Answer{Failure: unreachable}
	for name, by := range map[string]string{"edge-1": "Upgrade u", "edge-2": "Upgrade gone", "edge-3": "machine", "edge-4": ""} {
		n, _ := s.core.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		n = n.DeepCopy()
		n.Spec.Unschedulable = true
		if by != "" {
			n.Annotations[control.AnnotationCordoned] = by
		}
		if _, err := s.core.CoreV1().Nodes().Update(t.Context(), n, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	s.step()
	if got := strings.Join(s.cordoned(), ", "); got != "edge-1 by Upgrade u, edge-3 by machine, edge-4 by " {
		t.Errorf("cordoned: %s", got)
	}
}

func TestPauseFor(t *testing.T) {
	for name, tc := range map[string]struct {
		upgrade *Upgrade
		want    time.Duration
	}{
		"rolling out": {upgrade(with("edge-1 Rebooting")), pauseActive},
		"waiting":     {upgrade(with("edge-9 Pending")), pauseWaiting},
		"paused":      {upgrade(func(u *Upgrade) { u.Spec.Paused = true }), 0},
		"failed":      {upgrade(with("edge-1 Failed")), 0},
		"outside":     {upgrade(weekend), pauseWindow},
		"just before it": {upgrade(func(u *Upgrade) {
			u.Spec.Window = &Window{Start: "12:05", Duration: metav1.Duration{Duration: time.Hour}}
		}), 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			tc.upgrade.Status, _ = plan(tc.upgrade, world(node("edge-1", func(n *Node) { n.Ready = name != "waiting" })))
			if got := pauseFor(tc.upgrade, now); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}
