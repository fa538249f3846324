// Package containerd runs containerd inside this process.
//
// It is put together from containerd's own server package, with a configuration made in code: no config file, no
// second reading of os.Args, no signal handlers of its own. Containers do not depend on it: each pod has a shim
// process that outlives it and that the next start finds again.
package containerd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/cmd/containerd/server"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/log"
	"github.com/coracle-os/coracle/kube/network"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Run serves until ctx is done, then stops cleanly and returns nil; pods keep running. It returns an error when
// containerd cannot start; later ones it logs as fatal, which ends the process (package exit). Only one can run in a process
// at a time.
func Run(ctx context.Context, c Config) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	if err := log.SetLevel(c.LogLevel); err != nil {
		return fmt.Errorf("containerd: log level: %w", err)
	}

	config := c.server()
	if err := server.CreateTopLevelDirectories(config); err != nil {
		return fmt.Errorf("containerd: create %s and %s: %w", c.Root, c.State, err)
	}
	if err := os.MkdirAll(filepath.Dir(c.Socket), 0o755); err != nil {
		return fmt.Errorf("containerd: %w", err)
	}
	if err := (registries{c.Registries}).write(c.RegistryDir); err != nil {
		return fmt.Errorf("containerd: %w", err)
	}
	if err := network.MakeConfDir(c.CNIConfDir); err != nil {
		return err
	}
	if err := cleanTempMounts(ctx, filepath.Join(c.State, "tmpmounts")); err != nil {
		return err
	}

	// The plugins' background work ends after the server has stopped, not before.
	serveCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv, err := server.New(serveCtx, config)
	if err != nil {
		return fmt.Errorf("containerd: start with root %s: %w", c.Root, err)
	}
	defer srv.Stop()
	if err := srv.Start(serveCtx); err != nil {
		return fmt.Errorf("containerd: start with root %s: %w", c.Root, err)
	}
	<-ctx.Done()
	return nil
}

// cleanTempMounts unmounts what a killed containerd left behind. The folder is on a tmpfs: these mounts last for one
// image operation, and making their folders on disk would only be writes.
func cleanTempMounts(ctx context.Context, dir string) error {
	if err := mount.SetTempMountLocation(dir); err != nil {
		return fmt.Errorf("containerd: temporary mounts: %w", err)
	}
	warnings, err := mount.CleanupTempMounts(0)
	if err != nil {
		log.G(ctx).WithError(err).Warn("unmount temporary mounts")
	}
	for _, w := range warnings {
		log.G(ctx).WithError(w).Warn("unmount temporary mount")
	}
	return nil
}

// Ready waits until the CRI service on socket has taken stock of its pods and answers, or ctx is done.
func Ready(ctx context.Context, socket string) error {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("containerd: connect to %s: %w", socket, err)
	}
	defer conn.Close()
	// gRPC's own reconnect waits a second or more after the first refusal; asking again on a new socket file is cheap.
	runtime := cri.NewRuntimeServiceClient(conn)
	for {
		if _, err = runtime.Status(ctx, &cri.StatusRequest{}); err == nil {
			return nil
		}
		conn.ResetConnectBackoff()
		select {
		case <-ctx.Done():
			return fmt.Errorf("containerd: CRI on %s is not ready: %w", socket, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
