package node

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// labelRole is the label from which kubectl shows a node's role and by which charts place their pods
// (kubernetes.io/docs/reference/labels-annotations-taints). Its value is empty.
const labelRole = "node-role.kubernetes.io/control-plane"

// retryLabel is how long after a failure the label is tried again.
const retryLabel = 2 * time.Second

// LabelRole marks this node as one of the control plane. The kubelet may not do it itself: NodeRestriction forbids it.
func (c Config) LabelRole(ctx context.Context, config *rest.Config, wait WaitForNode) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("client of the apiserver: %w", err)
	}
	if err := wait(ctx, func(*corev1.Node) bool { return true }); err != nil {
		return err
	}
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:""}}}`, labelRole)
	for {
		_, err := client.CoreV1().Nodes().Patch(ctx, c.Settings.NodeName, types.MergePatchType, patch, metav1.PatchOptions{})
		if err == nil {
			return nil
		}
		slog.Warn("cannot label the node with its role yet", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryLabel):
		}
	}
}
