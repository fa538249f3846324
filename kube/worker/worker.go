// Package worker is what a server and an agent have in common: the components of a node that runs pods, and how the process runs
// components until it is asked to stop.
package worker

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"

	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/node"
	"github.com/coracle-os/coracle/kube/process"
	"github.com/coracle-os/coracle/kube/status"
)

// Worker is a node with what its components share. Of an agent, what depends on the cluster is there once it has joined.
type Worker struct {
	Settings control.Settings
	Paths    Paths
	Recorder *status.Recorder

	Node   node.Config
	Client *rest.Config // of our own parts

	cluster atomic.Pointer[status.Cluster]
	started time.Time
}

// Cluster is this node and its pods, as the API has them; nil: it is not known yet.
func (w *Worker) Cluster() *status.Cluster { return w.cluster.Load() }

// SetCluster says that it is known.
func (w *Worker) SetCluster(c *status.Cluster) { w.cluster.Store(c) }

// Names of components that others refer to.
const (
	Kubelet = "kubelet"
	Flannel = "flannel"
)

// Run runs the components until one fails or a request comes, then stops what is left in order.
func (w *Worker) Run(ctx context.Context, components []component.Component, requests <-chan process.Request) error {
	w.started = time.Now()
	group, err := component.Start(ctx, components, w.Recorder, process.Starved)
	if err != nil {
		return err
	}
	select {
	case err := <-group.Failed():
		return err // the process ends now; waiting for the others would only delay the next start
	case request := <-requests:
		w.Recorder.SetStopping()
		started := time.Now()
		if request == process.PowerOff {
			group.Stop(Kubelet)
			w.stopPods(ctx)
		}
		group.Stop()
		slog.Info("stopped", "took", time.Since(started).Round(time.Millisecond))
		return nil
	}
}

func (w *Worker) stopPods(ctx context.Context) {
	var pods map[string]node.Pod // of which the API says something
	if cluster := w.Cluster(); cluster != nil {
		pods = cluster.Pods()
	}
	limit := time.Duration(w.Settings.ShutdownSeconds) * time.Second
	if err := node.StopPods(ctx, w.Paths.Containerd.Socket, pods, limit); err != nil {
		slog.Warn("not every pod stopped in time", "error", err)
	}
}
