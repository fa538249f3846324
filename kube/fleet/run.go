package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"github.com/coracle-os/coracle/machined/keys"
)

// Run upgrades machines until ctx ends; then it returns nil. The definition of Upgrade is in the cluster already. report is told
// what the controller cannot do, or not yet; nil: all is well. There is one controller in a cluster.
func Run(ctx context.Context, config *rest.Config, report func(problems []string)) error {
	busy := rest.CopyConfig(config)
	busy.QPS, busy.Burst = 50, 100 // as kubectl's: a drain looks at every pod each second
	core, err := kubernetes.NewForConfig(busy)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	objects, err := dynamic.NewForConfig(busy)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	machines := MachineAPI{}
	for machines.Key == nil {
		if machines.Key, err = loadKey(ctx, core); err == nil {
			break
		}
		machines.Key = nil
		report([]string{"fleet: " + err.Error()})
		slog.Warn("fleet", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pauseFailed):
		}
	}
	report(nil)

	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: core.CoreV1().Events("")})
	recorder := broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "coracle-fleet"})
	c := newController(store{objects.Resource(Resource)}, core, machines, keys.Public(machines.Key).String(), func(u *Upgrade, e event) {
		kind := corev1.EventTypeNormal
		if e.warning {
			kind = corev1.EventTypeWarning
		}
		slog.Info("fleet: "+e.message, "upgrade", u.Name, "reason", e.reason)
		recorder.Event(reference(u), kind, e.reason, e.message)
	})
	informer := dynamicinformer.NewFilteredDynamicInformer(objects, Resource, metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	if err := watch(informer, c.look); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	go informer.RunWithContext(ctx)
	c.run(ctx, report)
	return nil
}

// watch calls look when somebody has made, changed or deleted an Upgrade. Changes of a status are the controller's own.
func watch(informer cache.SharedIndexInformer, look func()) error {
	if err := informer.SetTransform(trim); err != nil {
		return err
	}
	generation := func(o any) int64 {
		m, err := meta.Accessor(o)
		if err != nil {
			return -1
		}
		return m.GetGeneration()
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { look() },
		UpdateFunc: func(before, after any) {
			if generation(before) != generation(after) {
				look()
			}
		},
		DeleteFunc: func(any) { look() },
	})
	return err
}

// trim keeps of an Upgrade what tells that it was changed.
func trim(o any) (any, error) {
	full, ok := o.(*unstructured.Unstructured)
	if !ok {
		return o, nil
	}
	small := &unstructured.Unstructured{}
	small.SetAPIVersion(full.GetAPIVersion())
	small.SetKind(full.GetKind())
	small.SetName(full.GetName())
	small.SetUID(full.GetUID())
	small.SetGeneration(full.GetGeneration())
	small.SetResourceVersion(full.GetResourceVersion())
	return small, nil
}
