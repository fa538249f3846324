package flannel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/lease"
	"github.com/flannel-io/flannel/pkg/subnet"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// retryAfter is how long to wait before the API, or an interface, is tried again.
const retryAfter = 2 * time.Second

// nodes is flannel's subnet manager on the nodes of the cluster: their pod CIDRs are the subnets, their annotations
// say how to reach them. Upstream's own (pkg/subnet/kube) does the same, but needs a kubeconfig file, a configuration
// file and environment variables, keeps whole node objects, and polls.
type nodes struct {
	name    string // this node's
	conf    *subnet.Config
	reach   *subnet.Config // conf without what this node has no address for
	client  typedcorev1.NodesGetter
	store   cache.Store
	watch   cache.Controller
	changed chan struct{} // has one element when this node may have changed
	events  *queue
}

func newNodes(client *rest.Config, name string, conf, reach *subnet.Config) (*nodes, error) {
	c := rest.CopyConfig(client)
	c.ContentType = runtime.ContentTypeProtobuf
	c.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	core, err := typedcorev1.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("flannel: %w", err)
	}
	n := &nodes{name: name, conf: conf, reach: reach, client: core, changed: make(chan struct{}, 1), events: newQueue()}
	n.store, n.watch = cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(core.RESTClient(), "nodes", metav1.NamespaceAll, fields.Everything()),
		ObjectType:    &corev1.Node{},
		Transform: func(obj any) (any, error) {
			if node, ok := obj.(*corev1.Node); ok {
				return lean(node), nil
			}
			return obj, nil
		},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(obj any) { n.see(nil, obj.(*corev1.Node)) },
			UpdateFunc: func(old, obj any) { n.see(old.(*corev1.Node), obj.(*corev1.Node)) },
			DeleteFunc: func(obj any) {
				if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
					obj = unknown.Obj
				}
				if node, ok := obj.(*corev1.Node); ok {
					n.see(node, nil)
				}
			},
		},
	})
	return n, nil
}

// see takes note of a node that came (no old), changed, or went (no new).
func (n *nodes) see(old, new *corev1.Node) {
	for _, node := range []*corev1.Node{old, new} {
		if node != nil && node.Name == n.name {
			select {
			case n.changed <- struct{}{}:
			default:
			}
			return
		}
	}
	for _, e := range leaseEvents(old, new, n.reach) {
		n.events.push(e)
	}
}

// leaseEvents says what a change of another node means for the routes to its pods.
func leaseEvents(old, new *corev1.Node, conf *subnet.Config) []lease.Event {
	of := func(node *corev1.Node) *lease.Lease {
		if node == nil || node.Annotations[annotationManaged] != "true" || len(node.Spec.PodCIDRs) == 0 {
			return nil // flannel does not run on it, or not yet
		}
		l, err := leaseOf(node, conf)
		if err != nil {
			slog.Warn("flannel: pods of a node are out of reach", "error", err)
			return nil
		}
		return &l
	}
	was, is := of(old), of(new)
	switch {
	case was == nil && is == nil:
		return nil
	case is == nil:
		return []lease.Event{{Type: lease.EventRemoved, Lease: *was}}
	case was == nil:
		return []lease.Event{{Type: lease.EventAdded, Lease: *is}}
	case was.Attrs.String() == is.Attrs.String() && was.Subnet == is.Subnet && was.IPv6Subnet.String() == is.IPv6Subnet.String():
		return nil
	default: // first the old neighbour entries go, or they would stay
		return []lease.Event{{Type: lease.EventRemoved, Lease: *was}, {Type: lease.EventAdded, Lease: *is}}
	}
}

// own waits until this node is registered and has a pod CIDR.
func (n *nodes) own(ctx context.Context) (*corev1.Node, error) {
	for {
		if obj, ok, _ := n.store.GetByKey(n.name); ok {
			if node := obj.(*corev1.Node); len(node.Spec.PodCIDRs) > 0 {
				return node, nil
			}
		}
		select {
		case <-n.changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// AcquireLease publishes how to reach this node, and returns its subnet.
func (n *nodes) AcquireLease(ctx context.Context, attrs *lease.LeaseAttrs) (*lease.Lease, error) {
	node, err := n.own(ctx)
	if err != nil {
		return nil, err
	}
	v4, v6, err := families(node.Spec.PodCIDRs)
	if err != nil {
		return nil, fmt.Errorf("pod CIDR of node %s: %w", n.name, err)
	}
	l := &lease.Lease{EnableIPv4: n.reach.EnableIPv4, EnableIPv6: n.reach.EnableIPv6, Attrs: *attrs}
	if l.Subnet, l.IPv6Subnet, err = subnets(v4, v6, n.conf); err != nil {
		return nil, fmt.Errorf("node %s: %w", n.name, err)
	}
	patch, err := annotationPatch(node.Annotations, annotations(attrs))
	if err != nil || patch == nil {
		return l, err
	}
	_, err = n.client.Nodes().Patch(ctx, n.name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return nil, fmt.Errorf("annotate node %s: %w", n.name, err)
	}
	return l, nil
}

// WatchLeases sends what changes on other nodes, beginning with those that are there, until ctx is done.
func (n *nodes) WatchLeases(ctx context.Context, receiver chan []lease.LeaseWatchResult) error {
	defer close(receiver)
	for {
		events, err := n.events.pop(ctx)
		if err != nil {
			return err
		}
		select {
		case receiver <- []lease.LeaseWatchResult{{Events: events}}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// GetStoredMacAddresses returns the vxlan interfaces' addresses of the last start.
func (n *nodes) GetStoredMacAddresses(context.Context) (v4, v6 string) {
	if obj, ok, _ := n.store.GetByKey(n.name); ok {
		return macs(obj.(*corev1.Node))
	}
	return "", ""
}

func (n *nodes) GetNetworkConfig(context.Context) (*subnet.Config, error)           { return n.reach, nil }
func (n *nodes) GetStoredPublicIP(context.Context) (v4, v6 string)                  { return "", "" }
func (n *nodes) CompleteLease(context.Context, *lease.Lease, *sync.WaitGroup) error { return nil }
func (n *nodes) Name() string                                                       { return "nodes of " + n.name }

// The rest of flannel's interface is for its etcd mode, or for its CNI plugin.

func (n *nodes) RenewLease(context.Context, *lease.Lease) error { return errors.ErrUnsupported }

func (n *nodes) WatchLease(context.Context, ip.IP4Net, ip.IP6Net, chan []lease.LeaseWatchResult) error {
	return errors.ErrUnsupported
}

func (n *nodes) HandleSubnetFile(string, *subnet.Config, bool, ip.IP4Net, ip.IP6Net, int) error {
	return errors.ErrUnsupported
}

// queue hands events from the watch to the backend, in order, without ever making the watch wait.
type queue struct {
	mu      sync.Mutex
	pending []lease.Event
	some    chan struct{} // has one element when there may be events
}

func newQueue() *queue { return &queue{some: make(chan struct{}, 1)} }

func (q *queue) push(e lease.Event) {
	q.mu.Lock()
	q.pending = append(q.pending, e)
	q.mu.Unlock()
	select {
	case q.some <- struct{}{}:
	default:
	}
}

// pop waits for events and takes all there are.
func (q *queue) pop(ctx context.Context) ([]lease.Event, error) {
	for {
		q.mu.Lock()
		events := q.pending
		q.pending = nil
		q.mu.Unlock()
		if len(events) > 0 {
			return events, nil
		}
		select {
		case <-q.some:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
