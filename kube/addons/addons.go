// Package addons keeps the built-in add-ons in the cluster as this version and its configuration want them.
//
// Objects are applied by the server with the field manager "coracle" and carry the label coracle.dev/addon. What has
// the label and is no longer wanted is removed; an object that is as it was applied last is not written again, so an
// ordinary start writes nothing. Changes that a person makes to other fields of these objects stay.
package addons

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/images"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

const (
	fieldManager   = "coracle"
	labelAddon     = "coracle.dev/addon"
	annotationHash = "coracle.dev/hash"

	retryAfter     = time.Second      // after an error, mostly an API that is just starting
	checkResolvers = 20 * time.Second // between looks at resolv.conf
)

// Config says which add-ons there are, and what they need to know.
type Config struct {
	CoreDNS       control.CoreDNS
	Fleet         control.Fleet
	Cluster       control.Cluster // what agents are told
	ClusterDNS    string          // address of the Service kube-dns: 10.43.0.10
	ClusterDomain string          // cluster.local
	ResolvConf    string          // the machine's; /etc/resolv.conf if empty
	Ready         func()          // called once, when the add-ons are applied; may be nil
}

// Run applies the add-ons, trying again until the API takes them, and again whenever the machine's name servers change.
// It returns nil when ctx is done. An error means that the add-ons of this version are broken.
func Run(ctx context.Context, client *rest.Config, c Config) error {
	if c.ResolvConf == "" {
		c.ResolvConf = "/etc/resolv.conf"
	}
	api, err := newCluster(client)
	if err != nil {
		return fmt.Errorf("add-ons: %w", err)
	}
	var (
		applied *values
		said    string // the last error: it is said once, not every second while the API starts
	)
	var unresolved string // the last problem of the name servers, likewise
	for {
		wait := checkResolvers
		v, err := c.values()
		if problem := fmt.Sprint(err); err != nil && problem != unresolved {
			slog.Warn("add-ons: name servers", "error", err)
			unresolved = problem
		} else if err == nil {
			unresolved = ""
		}
		if applied == nil || !reflect.DeepEqual(v, *applied) {
			wanted, err := render(v)
			if err != nil {
				return err
			}
			if err := api.reconcile(ctx, wanted); err == nil {
				if applied == nil && c.Ready != nil {
					c.Ready()
				}
				applied, said = &v, ""
			} else {
				wait = retryAfter
				if err.Error() != said && ctx.Err() == nil {
					said = err.Error()
					slog.Warn("add-ons are not applied yet, trying again", "error", err)
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// values are what the add-ons' objects depend on. With an error they are still good, without name servers outside the cluster.
func (c Config) values() (values, error) {
	v := values{Config: c, Image: images.CoreDNS}
	v.Ready = nil // functions cannot be compared
	if v.Resolvers = c.CoreDNS.Upstream; len(v.Resolvers) > 0 {
		return v, nil
	}
	var err error
	v.Resolvers, err = resolvers(c.ResolvConf)
	return v, err
}

// cluster is the part of the API that is needed: objects as they are, and lists of their metadata only.
type cluster struct {
	objects dynamic.Interface
	meta    metadata.Interface
}

func newCluster(client *rest.Config) (cluster, error) {
	objects, err := dynamic.NewForConfig(client)
	if err != nil {
		return cluster{}, err
	}
	meta, err := metadata.NewForConfig(client)
	return cluster{objects, meta}, err
}

// reconcile makes the cluster have the objects wanted, and no other object of an add-on. It stops at the first error:
// what comes later may need what failed.
func (c cluster) reconcile(ctx context.Context, wanted []*unstructured.Unstructured) error {
	found, err := c.find(ctx)
	if err != nil {
		return err
	}
	apply, remove := plan(wanted, found)
	for _, o := range apply {
		if err := c.apply(ctx, o); err != nil {
			return fmt.Errorf("apply %s: %w", keyOf(o), err)
		}
		slog.Info("add-on applied", "addon", o.GetLabels()[labelAddon], "object", keyOf(o).String())
	}
	for _, k := range remove {
		if err := c.resource(kinds[rank(k.kind)], k.namespace).Delete(ctx, k.name, deleteNow); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("remove %s: %w", k, err)
		}
		slog.Info("add-on removed", "object", k.String())
	}
	return nil
}

// find returns the hash of every object that an add-on of any version applied.
func (c cluster) find(ctx context.Context) (map[key]string, error) {
	found := make(map[key]string)
	for _, k := range kinds {
		list, err := c.meta.Resource(k.gvr()).List(ctx, metav1.ListOptions{LabelSelector: labelAddon})
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", k.resource, err)
		}
		for _, o := range list.Items {
			found[key{k.Kind, o.Namespace, o.Name}] = o.Annotations[annotationHash]
		}
	}
	return found, nil
}

var deleteNow = metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}

// apply replaces an object when the API refuses to change it: the cluster IP of a Service and the selector of a
// Deployment cannot be changed, but add-ons keep no state in them. A definition of resources is never replaced: they would be gone.
func (c cluster) apply(ctx context.Context, o *unstructured.Unstructured) error {
	k, err := kindOf(o)
	if err != nil {
		return err
	}
	resource := c.resource(k, o.GetNamespace())
	options := metav1.ApplyOptions{FieldManager: fieldManager, Force: true}
	_, err = resource.Apply(ctx, o.GetName(), o, options)
	if !apierrors.IsInvalid(err) || k == definitions {
		return err
	}
	if deleted := resource.Delete(ctx, o.GetName(), deleteNow); deleted != nil {
		return errors.Join(err, deleted)
	}
	_, err = resource.Apply(ctx, o.GetName(), o, options)
	return err
}

func (c cluster) resource(k kind, namespace string) dynamic.ResourceInterface {
	if k.namespaced {
		return c.objects.Resource(k.gvr()).Namespace(namespace)
	}
	return c.objects.Resource(k.gvr())
}
