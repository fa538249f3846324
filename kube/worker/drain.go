package worker

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/drain"
)

// byMachine is who drains the node when machined asks.
const byMachine = "machine"

// Drain lets the pods of this node leave; see package drain.
func (w *Worker) Drain(ctx context.Context, deadline time.Duration) (control.Drained, error) {
	client, err := w.busyClient()
	if err != nil {
		return control.Drained{}, err
	}
	return drain.Drain(ctx, client, drain.Options{Node: w.Settings.NodeName, By: byMachine, Deadline: deadline})
}

// Uncordon makes this node take pods again after a drain.
func (w *Worker) Uncordon(ctx context.Context) error {
	client, err := w.busyClient()
	if err != nil {
		return err
	}
	return drain.Uncordon(ctx, client, w.Settings.NodeName)
}

// busyClient is a client for many requests at once: each pod is looked at every second until it is gone.
func (w *Worker) busyClient() (kubernetes.Interface, error) {
	config := rest.CopyConfig(w.Client)
	config.QPS, config.Burst = 50, 100 // as kubectl's
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("client of the apiserver: %w", err)
	}
	return client, nil
}
