package status

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/coracle-os/coracle/kube/node"
)

// Intervals of asking the apiserver how it is, and of looking at the watched Node object.
const (
	pollUntilReady = 200 * time.Millisecond
	pollReady      = 5 * time.Second
	pollPatient    = 3 * time.Second
	pollNode       = 200 * time.Millisecond
)

// patience is how many answers in a row have to fail until an apiserver that was ready no longer counts as such: a small
// machine under load is slow to answer now and then.
const patience = 3

// Cluster watches this node and its pods, and asks the apiserver whether it is ready.
type Cluster struct {
	*Prober
	// Patient is for an API that is on another machine, and may be away for days: it is asked less often.
	Patient  bool
	nodeName string
	nodes    cache.SharedIndexInformer
	pods     cache.SharedIndexInformer
}

// NewCluster prepares the watches; config is that of a client which may read nodes and pods.
func NewCluster(config *rest.Config, nodeName string) (*Cluster, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("client of the apiserver: %w", err)
	}
	prober, err := NewProber(config)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Prober: prober, nodeName: nodeName}
	core := client.CoreV1().RESTClient()
	c.nodes = cache.NewSharedIndexInformer(
		cache.NewListWatchFromClient(core, "nodes", "", fields.OneTermEqualSelector("metadata.name", nodeName)),
		&corev1.Node{}, 0, nil)
	c.pods = cache.NewSharedIndexInformer(
		cache.NewListWatchFromClient(core, "pods", metav1.NamespaceAll, fields.OneTermEqualSelector("spec.nodeName", nodeName)),
		&corev1.Pod{}, 0, nil)
	if err := c.nodes.SetTransform(trimNode); err != nil {
		return nil, err
	}
	return c, c.pods.SetTransform(trimPod)
}

// Run watches until ctx is cancelled, and tells report whether the apiserver is ready.
func (c *Cluster) Run(ctx context.Context, report func(ready bool)) error {
	go c.nodes.RunWithContext(ctx)
	go c.pods.RunWithContext(ctx)
	var state readyState
	for {
		ready := state.next(c.Ask(ctx, "/readyz") == nil)
		report(ready)
		wait := pollUntilReady
		switch {
		case ready:
			wait = pollReady
		case c.Patient:
			wait = pollPatient
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// readyState makes one state of many answers.
type readyState struct {
	ready  bool
	failed int // in a row
}

// next takes an answer and returns whether the apiserver counts as ready.
func (s *readyState) next(ok bool) bool {
	if ok {
		s.ready, s.failed = true, 0
	} else if s.failed++; s.failed >= patience {
		s.ready = false
	}
	return s.ready
}

// WaitForNode waits until this machine's Node object exists and satisfies condition.
func (c *Cluster) WaitForNode(ctx context.Context, condition func(*corev1.Node) bool) error {
	ticker := time.NewTicker(pollNode)
	defer ticker.Stop()
	for {
		if found := c.node(); found != nil && condition(found) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// IsReady reports a node's Ready condition.
func IsReady(node *corev1.Node) bool {
	ready, _ := readiness(node)
	return ready
}

func (c *Cluster) node() *corev1.Node {
	object, exists, err := c.nodes.GetStore().GetByKey(c.nodeName)
	if err != nil || !exists {
		return nil
	}
	return object.(*corev1.Node)
}

// nodeReady is the node's Ready condition, with what it says when it is not.
func (c *Cluster) nodeReady() (ready bool, message string) {
	found := c.node()
	if found == nil {
		return false, "the node is not registered yet"
	}
	return readiness(found)
}

func readiness(node *corev1.Node) (ready bool, message string) {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue, condition.Message
		}
	}
	return false, "the kubelet has not reported yet"
}

// podCounts counts the pods of this node that have not finished.
func (c *Cluster) podCounts() (running, total int) {
	for _, object := range c.pods.GetStore().List() {
		switch object.(*corev1.Pod).Status.Phase {
		case corev1.PodRunning:
			running++
			total++
		case corev1.PodSucceeded, corev1.PodFailed:
		default:
			total++
		}
	}
	return running, total
}

// Pods is what the stop of pods has to know, by UID.
func (c *Cluster) Pods() map[string]node.Pod {
	pods := map[string]node.Pod{}
	for _, object := range c.pods.GetStore().List() {
		pod := object.(*corev1.Pod)
		known := node.Pod{Grace: 30 * time.Second}
		if pod.Spec.Priority != nil {
			known.Priority = *pod.Spec.Priority
		}
		if pod.Spec.TerminationGracePeriodSeconds != nil {
			known.Grace = time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second
		}
		pods[string(pod.UID)] = known
	}
	return pods
}

// trimNode and trimPod keep in memory only what is asked of them here.
func trimNode(object any) (any, error) {
	full, ok := object.(*corev1.Node)
	if !ok {
		return object, nil
	}
	return &corev1.Node{ObjectMeta: identity(full.ObjectMeta), Status: corev1.NodeStatus{
		Conditions: full.Status.Conditions, Addresses: full.Status.Addresses,
	}}, nil
}

func trimPod(object any) (any, error) {
	full, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	return &corev1.Pod{
		ObjectMeta: identity(full.ObjectMeta),
		Spec: corev1.PodSpec{
			NodeName: full.Spec.NodeName, Priority: full.Spec.Priority,
			TerminationGracePeriodSeconds: full.Spec.TerminationGracePeriodSeconds,
		},
		Status: corev1.PodStatus{Phase: full.Status.Phase},
	}, nil
}

func identity(meta metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: meta.Name, Namespace: meta.Namespace, UID: meta.UID, ResourceVersion: meta.ResourceVersion}
}
