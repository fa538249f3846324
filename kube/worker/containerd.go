package worker

import (
	"context"
	"net"
	"time"

	"github.com/coracle-os/coracle/kube/containerd"
	"github.com/coracle-os/coracle/kube/network"
)

func (w *Worker) runContainerd(ctx context.Context) error {
	if err := network.MakeConfDir(w.Paths.CNIConf); err != nil {
		return err
	}
	return containerd.Run(ctx, w.Paths.Containerd)
}

// containerdReady looks whether the socket is served before it asks: gRPC logs each refused connection.
func (w *Worker) containerdReady(ctx context.Context) error {
	connection, err := net.Dial("unix", w.Paths.Containerd.Socket)
	if err != nil {
		return err
	}
	_ = connection.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return containerd.Ready(ctx, w.Paths.Containerd.Socket)
}
