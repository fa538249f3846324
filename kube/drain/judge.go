package drain

import (
	"context"
	"log/slog"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	taints "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/component-helpers/storage/volume"
	"k8s.io/klog/v2"
)

// verdict on a pod.
type verdict string

const (
	goes    verdict = "goes"
	ignored verdict = "ignored" // it is of no concern: of a DaemonSet, a mirror of a file, or over

	alone   verdict = "it has no controller that would make it anew on another node"
	nowhere verdict = "no other node may take it: its node selector, its affinity, taints or its volumes forbid it"
)

// judge decides what is to become of a pod. others are the nodes that take pods, volumes those of the pod that are bound.
func judge(pod *corev1.Pod, others []corev1.Node, volumes []*corev1.PersistentVolume) verdict {
	owner := metav1.GetControllerOf(pod)
	switch {
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		return ignored
	case pod.Annotations[corev1.MirrorPodAnnotationKey] != "":
		return ignored
	case owner != nil && owner.Kind == "DaemonSet":
		return ignored
	case pod.DeletionTimestamp != nil: // on its way already
		return goes
	case owner == nil:
		return alone
	}
	for i := range others {
		if fits(pod, &others[i], volumes) {
			return goes
		}
	}
	return nowhere
}

// takesPods is whether a node takes new pods.
func takesPods(node *corev1.Node) bool {
	if node.Spec.Unschedulable || node.DeletionTimestamp != nil {
		return false
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// fits is whether a pod may run on a node. Whether there is room for it is not looked at: the scheduler knows.
func fits(pod *corev1.Pod, node *corev1.Node, volumes []*corev1.PersistentVolume) bool {
	blocks := func(t *corev1.Taint) bool {
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	}
	if _, found := taints.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, pod.Spec.Tolerations, blocks, false); found {
		return false
	}
	if match, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node); err != nil || !match {
		return false
	}
	for _, v := range volumes {
		if volume.CheckNodeAffinity(v, node.Labels) != nil {
			return false
		}
	}
	return true
}

// volumesOf are the persistent volumes of a pod. What cannot be found out is left out: then the pod goes, as it would elsewhere.
func volumesOf(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) []*corev1.PersistentVolume {
	var all []*corev1.PersistentVolume
	for _, v := range pod.Spec.Volumes {
		claimName := ""
		switch {
		case v.PersistentVolumeClaim != nil:
			claimName = v.PersistentVolumeClaim.ClaimName
		case v.Ephemeral != nil:
			claimName = pod.Name + "-" + v.Name // kubernetes.io/docs/concepts/storage/ephemeral-volumes
		default:
			continue
		}
		claim, err := client.CoreV1().PersistentVolumeClaims(pod.Namespace).Get(ctx, claimName, metav1.GetOptions{})
		if err == nil && claim.Spec.VolumeName == "" {
			continue
		}
		var bound *corev1.PersistentVolume
		if err == nil {
			bound, err = client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
		}
		if err != nil {
			slog.Info("drain: a pod's volume", "pod", name(pod), "claim", claimName, "error", err)
			continue
		}
		all = append(all, bound)
	}
	return all
}
