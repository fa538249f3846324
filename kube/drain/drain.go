// Package drain lets the pods of a node leave for other nodes before its machine restarts, and takes them in again after that.
//
// Pods are evicted, so PodDisruptionBudgets are respected, until a deadline. Those that have nowhere to go stay where they are:
// evicted, they would only wait for this node. So nothing happens at all in a cluster of one node.
package drain

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	kubectl "k8s.io/kubectl/pkg/drain"

	"github.com/coracle-os/coracle/kube/control"
)

// retryEviction is how long after a PodDisruptionBudget forbade it a pod is evicted again.
const retryEviction = 2 * time.Second

// answerLimit is how long the API may take to say, after the deadline, what is left.
const answerLimit = 20 * time.Second

// Options of a drain.
type Options struct {
	Node     string
	By       string        // who drains it; the value of [control.AnnotationCordoned]
	Deadline time.Duration // from now
}

// Drain cordons a node and evicts its pods. That some stay is no error.
func Drain(ctx context.Context, client kubernetes.Interface, o Options) (control.Drained, error) {
	return drain(ctx, client, o, retryEviction)
}

func drain(ctx context.Context, client kubernetes.Interface, o Options, pause time.Duration) (control.Drained, error) {
	var d control.Drained
	others, err := otherNodes(ctx, client, o.Node)
	if err != nil {
		return d, fmt.Errorf("drain node %s: %w", o.Node, err)
	}
	if len(others) == 0 {
		d.Nowhere = true
		return d, nil
	}
	if err := cordon(ctx, client, o.Node, o.By); err != nil {
		return d, fmt.Errorf("cordon node %s: %w", o.Node, err)
	}
	d.Cordoned = true
	pods, err := podsOf(ctx, client, o.Node)
	if err != nil {
		return d, fmt.Errorf("drain node %s: %w", o.Node, err)
	}
	var leave []corev1.Pod
	for _, pod := range pods {
		switch v := judge(&pod, others, volumesOf(ctx, client, &pod)); v {
		case goes:
			leave = append(leave, pod)
		case ignored:
		default:
			d.Stayed = append(d.Stayed, control.Stayed{Pod: name(&pod), Reason: string(v)})
		}
	}
	helper := &kubectl.Helper{
		Ctx: ctx, Client: client, GracePeriodSeconds: -1, Timeout: o.Deadline, EvictErrorRetryDelay: pause,
		Out: io.Discard, ErrOut: io.Discard,
	}
	evictErr := helper.DeleteOrEvictPods(leave)
	if evictErr != nil {
		slog.Warn("not every pod left the node", "node", o.Node, "error", evictErr)
	}

	// How it ended is asked of the cluster: errors do not say it in a form that could be relied on.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerLimit)
	defer cancel()
	left, err := podsOf(after, client, o.Node)
	if err != nil {
		return d, fmt.Errorf("what is left on node %s: %w", o.Node, err)
	}
	held := holders(after, client, evictErr)
	for _, pod := range leave {
		i := slices.IndexFunc(left, func(p corev1.Pod) bool { return p.UID == pod.UID })
		if i < 0 {
			d.Evicted = append(d.Evicted, name(&pod))
			continue
		}
		d.Stayed = append(d.Stayed, control.Stayed{Pod: name(&pod), Reason: held.why(&left[i])})
	}
	return d, ctx.Err()
}

// otherNodes are the nodes that take pods, but for one.
func otherNodes(ctx context.Context, client kubernetes.Interface, but string) ([]corev1.Node, error) {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(n corev1.Node) bool { return n.Name == but || !takesPods(&n) }), nil
}

func podsOf(ctx context.Context, client kubernetes.Interface, node string) ([]corev1.Pod, error) {
	list, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String(),
	})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

func name(pod *corev1.Pod) string { return pod.Namespace + "/" + pod.Name }

// cordon makes a node take no new pods, and notes by whom. One that is cordoned already is left as it is: it was somebody else,
// who will take it back himself, or an earlier drain.
func cordon(ctx context.Context, client kubernetes.Interface, name, by string) error {
	return change(ctx, client, name, func(node *corev1.Node) map[string]any {
		if node.Spec.Unschedulable {
			return nil
		}
		return patch(by, true)
	})
}

// Uncordon makes a node take pods again, if it was cordoned for a drain.
func Uncordon(ctx context.Context, client kubernetes.Interface, name string) error {
	err := change(ctx, client, name, func(node *corev1.Node) map[string]any {
		if node.Annotations[control.AnnotationCordoned] == "" {
			return nil
		}
		return patch(nil, nil)
	})
	if err != nil {
		return fmt.Errorf("uncordon node %s: %w", name, err)
	}
	return nil
}

func patch(by, unschedulable any) map[string]any {
	return map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{control.AnnotationCordoned: by}},
		"spec":     map[string]any{"unschedulable": unschedulable},
	}
}

// change applies a JSON merge patch to a node, if it is still the one that the patch was made for; nil: nothing is to change.
func change(ctx context.Context, client kubernetes.Interface, name string, of func(*corev1.Node) map[string]any) error {
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		p := of(node)
		if p == nil {
			return nil
		}
		p["metadata"].(map[string]any)["resourceVersion"] = node.ResourceVersion
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		_, err = client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, text, metav1.PatchOptions{})
		return err
	})
}
