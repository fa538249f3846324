package addons

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// plan says what to change so that the cluster has just the objects wanted. found are the objects of any add-on that
// the cluster has, with the hash of the content that was applied last. Objects are applied in the order of kinds and
// removed in the reverse order.
func plan(wanted []*unstructured.Unstructured, found map[key]string) (apply []*unstructured.Unstructured, remove []key) {
	keep := make(map[key]bool)
	for _, o := range wanted {
		k := keyOf(o)
		keep[k] = true
		if hash, ok := found[k]; !ok || hash != o.GetAnnotations()[annotationHash] {
			apply = append(apply, o)
		}
	}
	for k := range found {
		if !keep[k] {
			remove = append(remove, k)
		}
	}
	slices.SortStableFunc(apply, func(a, b *unstructured.Unstructured) int { return rank(a.GetKind()) - rank(b.GetKind()) })
	slices.SortFunc(remove, func(a, b key) int {
		if d := rank(b.kind) - rank(a.kind); d != 0 {
			return d
		}
		return slices.Compare([]string{a.namespace, a.name}, []string{b.namespace, b.name})
	})
	return apply, remove
}

func rank(kindName string) int {
	return slices.IndexFunc(kinds, func(k kind) bool { return k.Kind == kindName })
}
