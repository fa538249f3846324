package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// object is one object of a manifest.
type object struct{ *unstructured.Unstructured }

// mark gives the object the manifest's label and its namespace, and takes away what the server alone may set.
func (o object) mark(manifest string, r ref) {
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[label] = manifest
	o.SetLabels(labels)
	o.SetNamespace(r.Namespace)
	o.SetManagedFields(nil)
	o.SetResourceVersion("")
	o.SetUID("")
}

// ref names an object in the cluster. Its version is not part of the name.
type ref struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"` // empty: it has none
	Name      string `json:"name"`
}

func (r ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

func (r ref) groupKind() schema.GroupKind { return schema.GroupKind{Group: r.Group, Kind: r.Kind} }

// decode reads the objects of a manifest, in the order in which they are applied: what others need is first.
func decode(content []byte) ([]object, error) {
	var objects []object
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for number := 1; ; number++ {
		o := object{&unstructured.Unstructured{}}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		if len(o.Object) == 0 {
			continue // comments only
		}
		items, err := o.expand()
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", number, err)
		}
		objects = append(objects, items...)
	}
	slices.SortStableFunc(objects, func(a, b object) int { return rank(a.GetKind()) - rank(b.GetKind()) })
	return objects, nil
}

// expand returns the items of a list, and everything else as it is, if it is an object.
func (o object) expand() ([]object, error) {
	if o.IsList() && o.GetKind() == "List" {
		var all []object
		err := o.EachListItem(func(item runtimeObject) error {
			u, ok := item.(*unstructured.Unstructured)
			if !ok {
				return fmt.Errorf("an item of the list is %T", item)
			}
			items, err := object{u}.expand()
			all = append(all, items...)
			return err
		})
		return all, err
	}
	switch {
	case o.GetAPIVersion() == "":
		return nil, errors.New("it has no apiVersion")
	case o.GetKind() == "":
		return nil, errors.New("it has no kind")
	case o.GetName() == "":
		// YAML 1.1 makes a truth value of n, no, y or on, and a number of 7.
		if name, found, _ := unstructured.NestedFieldNoCopy(o.Object, "metadata", "name"); found {
			return nil, fmt.Errorf("the %s has the metadata.name %v, which is not text; put it in quotes", o.GetKind(), name)
		}
		return nil, fmt.Errorf("the %s has no metadata.name", o.GetKind())
	}
	if _, err := schema.ParseGroupVersion(o.GetAPIVersion()); err != nil {
		return nil, fmt.Errorf("the %s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return []object{o}, nil
}

// order in which kinds are applied; they are removed in the reverse. Those that are in neither list come between them:
// custom resources among them, which need their definitions.
var (
	first = []string{
		"Namespace", "CustomResourceDefinition", "PriorityClass", "RuntimeClass", "StorageClass", "NetworkPolicy", "ResourceQuota", "LimitRange",
		"ServiceAccount", "Secret", "ConfigMap", "PersistentVolume", "PersistentVolumeClaim", "ClusterRole", "ClusterRoleBinding",
		"Role", "RoleBinding", "Service", "DaemonSet", "Pod", "ReplicaSet", "Deployment", "StatefulSet", "Job", "CronJob", "Ingress",
	}
	last = []string{"APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
)

func rank(kind string) int {
	if i := slices.Index(first, kind); i >= 0 {
		return i
	}
	return len(first) + 1 + slices.Index(last, kind)
}

// byRank sorts a copy.
func byRank(refs []ref, reverse bool) []ref {
	sorted := slices.Clone(refs)
	slices.SortStableFunc(sorted, func(a, b ref) int { return rank(a.Kind) - rank(b.Kind) })
	if reverse {
		slices.Reverse(sorted)
	}
	return sorted
}
