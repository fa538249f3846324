package drain

import (
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/coracle-os/coracle/kube/control"
)

func node(name string, change ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
	}
	for _, c := range change {
		c(n)
	}
	return n
}

func notReady(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }
func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }
func tainted(n *corev1.Node) {
	n.Spec.Taints = []corev1.Taint{{Key: "dedicated", Value: "plant", Effect: corev1.TaintEffectNoSchedule}}
}

func pod(name string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: name, UID: types.UID(name), Labels: map[string]string{"app": name},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name, Controller: new(true)}},
		},
		Spec:   corev1.PodSpec{NodeName: "edge-1"},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func unmanaged(p *corev1.Pod) { p.OwnerReferences = nil }
func daemon(p *corev1.Pod)    { p.OwnerReferences[0].Kind = "DaemonSet" }
func mirror(p *corev1.Pod) {
	p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	p.OwnerReferences[0].Kind = "Node"
}
func finished(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }
func leaving(p *corev1.Pod)  { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }
func pinned(p *corev1.Pod) {
	p.Spec.NodeSelector = map[string]string{"kubernetes.io/hostname": "edge-1"}
}
func elsewhere(p *corev1.Pod) { p.Spec.NodeName = "edge-2" }
func tolerant(p *corev1.Pod) {
	p.Spec.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
}
func withClaim(p *corev1.Pod) {
	p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
	}}}
}

// localVolume is one that only a node has.
func localVolume(on string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv"}, Spec: corev1.PersistentVolumeSpec{
		NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kubernetes.io/hostname", Operator: corev1.NodeSelectorOpIn, Values: []string{on}}},
		}}}},
	}}
}

func TestJudge(t *testing.T) {
	plain, taint := []corev1.Node{*node("edge-2")}, []corev1.Node{*node("edge-2", tainted)}
	for name, tc := range map[string]struct {
		pod     *corev1.Pod
		others  []corev1.Node
		volumes []*corev1.PersistentVolume
		want    verdict
	}{
		"usual":                      {pod("a"), plain, nil, goes},
		"of a DaemonSet":             {pod("a", daemon), plain, nil, ignored},
		"mirror pod":                 {pod("a", mirror), plain, nil, ignored},
		"over":                       {pod("a", finished), plain, nil, ignored},
		"over, without a controller": {pod("a", finished, unmanaged), plain, nil, ignored},
		"without a controller":       {pod("a", unmanaged), plain, nil, alone},
		"leaving already":            {pod("a", unmanaged, leaving), plain, nil, goes},
		"pinned to its node":         {pod("a", pinned), plain, nil, nowhere},
		"not tolerated":              {pod("a"), taint, nil, nowhere},
		"tolerated":                  {pod("a", tolerant), taint, nil, goes},
		"one of two nodes":           {pod("a"), append(taint, plain...), nil, goes},
		"volume of this node":        {pod("a", withClaim), plain, []*corev1.PersistentVolume{localVolume("edge-1")}, nowhere},
		"volume of the other node":   {pod("a", withClaim), plain, []*corev1.PersistentVolume{localVolume("edge-2")}, goes},
	} {
		t.Run(name, func(t *testing.T) {
			if got := judge(tc.pod, tc.others, tc.volumes); got != tc.want {
				t.Errorf("it %s, want %s", got, tc.want)
			}
		})
	}
}

// cluster is a fake API that evicts. held are the pods that a budget protects, stuck those that do not stop.
func cluster(held, stuck []string, objects ...runtime.Object) *fake.Clientset {
	client := fake.NewClientset(objects...)
	client.Resources = []*metav1.APIResourceList{{GroupVersion: "v1", APIResources: []metav1.APIResource{{
		Name: "pods/eviction", Kind: "Eviction", Group: "policy", Version: "v1",
	}}}}
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	client.PrependReactor("create", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if a.GetSubresource() != "eviction" {
			return false, nil, nil
		}
		e := a.(clienttesting.CreateAction).GetObject().(*policyv1.Eviction)
		switch {
		case slices.Contains(held, e.Name):
			return true, nil, apierrors.NewTooManyRequests("held", 0)
		case slices.Contains(stuck, e.Name):
			object, err := client.Tracker().Get(pods, e.Namespace, e.Name)
			if err != nil {
				return true, nil, err
			}
			p := object.(*corev1.Pod).DeepCopy()
			leaving(p)
			return true, nil, client.Tracker().Update(pods, p, e.Namespace)
		case e.Name == "broken":
			return true, nil, errors.New("webhook says no")
		}
		return true, nil, client.Tracker().Delete(pods, e.Namespace, e.Name)
	})
	// The fake does not know field selectors.
	client.PrependReactor("list", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
		object, err := client.Tracker().List(pods, corev1.SchemeGroupVersion.WithKind("Pod"), "")
		if err != nil {
			return true, nil, err
		}
		list := object.(*corev1.PodList)
		wanted := a.(clienttesting.ListAction).GetListRestrictions().Fields
		list.Items = slices.DeleteFunc(list.Items, func(p corev1.Pod) bool {
			on, found := wanted.RequiresExactMatch("spec.nodeName")
			return found && p.Spec.NodeName != on
		})
		return true, list, nil
	})
	return client
}

func budget(allowed int32) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "keep-one"},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "held"}}},
		Status:     policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: allowed},
	}
}

func TestDrain(t *testing.T) {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pv"},
	}
	for name, tc := range map[string]struct {
		objects     []runtime.Object
		held, stuck []string
		want        control.Drained
		cordoned    string // the annotation
	}{
		"single server": {
			objects: []runtime.Object{node("edge-1"), pod("a")},
			want:    control.Drained{Nowhere: true},
		},
		"others do not take pods": {
			objects: []runtime.Object{node("edge-1"), node("edge-2", notReady), node("edge-3", cordoned), pod("a")},
			want:    control.Drained{Nowhere: true},
		},
		"pods leave": {
			objects: []runtime.Object{
				node("edge-1"), node("edge-2"), pod("a"), pod("b"), pod("there", elsewhere), pod("d", daemon), pod("m", mirror), pod("f", finished),
			},
			want:     control.Drained{Cordoned: true, Evicted: []string{"default/a", "default/b"}},
			cordoned: "machine",
		},
		"some have nowhere to go": {
			objects: []runtime.Object{
				node("edge-1"), node("edge-2"), pod("a"), pod("bare", unmanaged), pod("pinned", pinned), pod("stateful", withClaim), claim, localVolume("edge-1"),
			},
			want: control.Drained{Cordoned: true, Evicted: []string{"default/a"}, Stayed: []control.Stayed{
				{Pod: "default/bare", Reason: string(alone)}, {Pod: "default/pinned", Reason: string(nowhere)}, {Pod: "default/stateful", Reason: string(nowhere)},
			}},
			cordoned: "machine",
		},
		"a budget holds one until the deadline": {
			objects: []runtime.Object{node("edge-1"), node("edge-2"), pod("a"), pod("held"), budget(0)},
			held:    []string{"held"},
			want: control.Drained{Cordoned: true, Evicted: []string{"default/a"}, Stayed: []control.Stayed{
				{Pod: "default/held", Reason: "the PodDisruptionBudget keep-one did not let it go in time"},
			}},
			cordoned: "machine",
		},
		"one does not stop": {
			objects: []runtime.Object{node("edge-1"), node("edge-2"), pod("slow")},
			stuck:   []string{"slow"},
			want: control.Drained{Cordoned: true, Stayed: []control.Stayed{
				{Pod: "default/slow", Reason: "it did not stop in time"},
			}},
			cordoned: "machine",
		},
		"one cannot be evicted": {
			objects: []runtime.Object{node("edge-1"), node("edge-2"), pod("broken"), budget(1)},
			want: control.Drained{Cordoned: true, Stayed: []control.Stayed{
				{Pod: "default/broken", Reason: "it could not be evicted in time"},
			}},
			cordoned: "machine",
		},
		"a person has cordoned it": {
			objects: []runtime.Object{node("edge-1", cordoned), node("edge-2"), pod("a")},
			want:    control.Drained{Cordoned: true, Evicted: []string{"default/a"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := cluster(tc.held, tc.stuck, tc.objects...)
			got, err := drain(t.Context(), client, Options{Node: "edge-1", By: "machine", Deadline: 50 * time.Millisecond}, time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if got.Cordoned != tc.want.Cordoned || got.Nowhere != tc.want.Nowhere || !slices.Equal(got.Evicted, tc.want.Evicted) || !slices.Equal(got.Stayed, tc.want.Stayed) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
			n, err := client.CoreV1().Nodes().Get(t.Context(), "edge-1", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if n.Spec.Unschedulable != tc.want.Cordoned || n.Annotations[control.AnnotationCordoned] != tc.cordoned {
				t.Errorf("unschedulable %t, annotations %v", n.Spec.Unschedulable, n.Annotations)
			}
		})
	}
}

func TestUncordon(t *testing.T) {
	byUs := func(n *corev1.Node) {
		n.Annotations = map[string]string{control.AnnotationCordoned: "machine", "other": "x"}
	}
	for name, tc := range map[string]struct {
		node          *corev1.Node
		unschedulable bool
	}{
		"by us":         {node("edge-1", cordoned, byUs), false},
		"by a person":   {node("edge-1", cordoned), true},
		"not cordoned":  {node("edge-1"), false},
		"by hand since": {node("edge-1", byUs), false},
	} {
		t.Run(name, func(t *testing.T) {
			client := cluster(nil, nil, tc.node)
			if err := Uncordon(t.Context(), client, "edge-1"); err != nil {
				t.Fatal(err)
			}
			n, err := client.CoreV1().Nodes().Get(t.Context(), "edge-1", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, noted := n.Annotations[control.AnnotationCordoned]; noted || n.Spec.Unschedulable != tc.unschedulable {
				t.Errorf("unschedulable %t, annotations %v", n.Spec.Unschedulable, n.Annotations)
			}
		})
	}
	if err := Uncordon(t.Context(), cluster(nil, nil), "edge-9"); !apierrors.IsNotFound(err) {
		t.Errorf("a node that is not there: %v", err)
	}
}
