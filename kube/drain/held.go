package drain

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
)

// budgets are the PodDisruptionBudgets of the cluster.
type budgets []policyv1.PodDisruptionBudget

// holders are the budgets that may have held pods; none when nothing went wrong.
func holders(ctx context.Context, client kubernetes.Interface, wrong error) budgets {
	if wrong == nil {
		return nil
	}
	list, err := client.PolicyV1().PodDisruptionBudgets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil // only the reason is less exact
	}
	return list.Items
}

// why a pod that was to leave is still there.
func (b budgets) why(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return "it did not stop in time"
	}
	for _, budget := range b {
		selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
		if err == nil && budget.Namespace == pod.Namespace && budget.Status.DisruptionsAllowed == 0 && selector.Matches(labels.Set(pod.Labels)) {
			return "the PodDisruptionBudget " + budget.Name + " did not let it go in time"
		}
	}
	return "it could not be evicted in time"
}
