package manifests

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

type runtimeObject = runtime.Object

// recordName is the ConfigMap in kube-system that has the record.
const recordName = "coracle-manifests"

// protectedNamespaces are the cluster's own. A manifest may have them, to label them; they stay when it goes.
var protectedNamespaces = []string{metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease}

// cluster is the API of a Kubernetes cluster.
type cluster struct {
	core    typedcorev1.ConfigMapsGetter
	objects dynamic.Interface
	meta    metadata.Interface
	mapper  *restmapper.DeferredDiscoveryRESTMapper
}

func newCluster(config *rest.Config) (*cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 50, 100 // upstream's default, 5 a second, would make a large manifest take a minute
	core, err := typedcorev1.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	meta, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	known, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(known))
	return &cluster{core: core, objects: objects, meta: meta, mapper: mapper}, nil
}

func (c *cluster) refresh() { c.mapper.Reset() }

// mapping finds how the API calls a kind; without a version, by the one that it prefers.
func (c *cluster) mapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	mapping, err := c.mapper.RESTMapping(kind, versions...)
	if meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("the cluster does not know %s: %w", kind, err)
	}
	return mapping, err
}

func (c *cluster) resolve(o object) (ref, error) {
	kind := o.GroupVersionKind()
	mapping, err := c.mapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return ref{}, err
	}
	r := ref{Group: kind.Group, Kind: kind.Kind, Name: o.GetName()}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		if r.Namespace = o.GetNamespace(); r.Namespace == "" {
			r.Namespace = metav1.NamespaceDefault
		}
	}
	return r, nil
}

func (c *cluster) apply(ctx context.Context, r ref, o object) error {
	kind := o.GroupVersionKind()
	mapping, err := c.mapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	var resource dynamic.ResourceInterface = c.objects.Resource(mapping.Resource)
	if r.Namespace != "" {
		resource = c.objects.Resource(mapping.Resource).Namespace(r.Namespace)
	}
	_, err = resource.Apply(ctx, r.Name, o.Unstructured, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	return err
}

func (c *cluster) remove(ctx context.Context, r ref, manifest string) error {
	if r.Group == "" && r.Kind == "Namespace" && slices.Contains(protectedNamespaces, r.Name) {
		return nil
	}
	mapping, err := c.mapping(r.groupKind())
	if meta.IsNoMatchError(err) {
		return nil // its definition is gone, and it with that
	}
	if err != nil {
		return err
	}
	var resource metadata.ResourceInterface = c.meta.Resource(mapping.Resource)
	if r.Namespace != "" {
		resource = c.meta.Resource(mapping.Resource).Namespace(r.Namespace)
	}
	found, err := resource.Get(ctx, r.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && (found.Labels[label] != manifest || found.DeletionTimestamp != nil) {
		return nil
	}
	if err != nil {
		return err
	}
	err = resource.Delete(ctx, r.Name, metav1.DeleteOptions{
		PropagationPolicy: new(metav1.DeletePropagationBackground),
		Preconditions:     &metav1.Preconditions{UID: &found.UID},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (c *cluster) load(ctx context.Context) (record, error) {
	found, err := c.core.ConfigMaps(metav1.NamespaceSystem).Get(ctx, recordName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return record{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which objects there are: %w", err)
	}
	return decodeRecord(found.Data)
}

func (c *cluster) save(ctx context.Context, r record) error {
	data, err := r.encode()
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": recordName, "namespace": metav1.NamespaceSystem},
		"data":     data,
	})
	if err != nil {
		return err
	}
	_, err = c.core.ConfigMaps(metav1.NamespaceSystem).Patch(ctx, recordName, types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: fieldManager, Force: new(true)})
	if err != nil {
		return fmt.Errorf("record which objects there are: %w", err)
	}
	return nil
}
