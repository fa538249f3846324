package node

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/pkg/util/taints"

	"github.com/coracle-os/coracle/kube/control"
)

// retryLabel is how long after a failure the labels are tried again.
const retryLabel = 2 * time.Second

// LabelNode gives this node its role, and the labels and taints of the settings. The kubelet does that only when it registers a
// node, and may not label it with a role at all: NodeRestriction forbids it. It notes where the machine API is, and takes back
// the cordon of a drain: the restart that it was for is over.
//
// On an agent it has the kubelet's rights only: there is no role, and taints stay as they are.
func (c Config) LabelNode(ctx context.Context, config *rest.Config, wait WaitForNode) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("client of the apiserver: %w", err)
	}
	wantedLabels := maps.Clone(c.Settings.NodeLabels)
	var wantedTaints []corev1.Taint
	if c.Settings.Role != control.Agent {
		wantedLabels = map[string]string{control.LabelControlPlane: ""}
		maps.Copy(wantedLabels, c.Settings.NodeLabels)
		if wantedTaints, _, err = taints.ParseTaints(c.Settings.NodeTaints); err != nil {
			return fmt.Errorf("node taints: %w", err)
		}
	}
	notes := machineAPI(c.Settings.MachineAPI)
	if err := wait(ctx, func(*corev1.Node) bool { return true }); err != nil {
		return err
	}
	for {
		err := labelOnce(ctx, client, c.Settings.NodeName, wantedLabels, wantedTaints, notes)
		if err == nil {
			return nil
		}
		slog.Warn("cannot label the node yet", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryLabel):
		}
	}
}

func labelOnce(ctx context.Context, client kubernetes.Interface, name string, labels map[string]string, taints []corev1.Taint, annotations map[string]string) error {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	patch, err := metadataPatch(node, labels, taints, annotations)
	if err != nil || patch == nil {
		return err
	}
	_, err = client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// machineAPI is how the node's annotations say where its machine API is.
func machineAPI(a control.MachineAPI) map[string]string {
	notes := map[string]string{control.AnnotationAPIPort: "", control.AnnotationFingerprint: ""}
	if a.Port > 0 && a.Fingerprint != "" {
		notes[control.AnnotationAPIPort], notes[control.AnnotationFingerprint] = strconv.Itoa(a.Port), a.Fingerprint
	}
	return notes
}
