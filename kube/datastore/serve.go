package datastore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/k3s-io/kine/pkg/server"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	// emulatedEtcd is the etcd version that kine implements; from it the apiserver concludes that watches report progress,
	// so that consistent lists come from its cache.
	emulatedEtcd = "3.6.11"
	// progressInterval is how often idle watches are told the current revision.
	progressInterval = 5 * time.Second
	// maxRequestBytes is etcd's limit of a request (1.5 MiB) and what gRPC adds to it.
	maxRequestBytes = 2 << 20
	// bufferBytes replaces gRPC's two buffers of 32 KiB a connection: the apiserver opens a connection for every resource.
	bufferBytes = 4 << 10
)

type store struct {
	backend server.Backend
	socket  string
}

// serve answers on the store's socket until stop is called.
func (s store) serve(failed chan<- error) (stop func(), err error) {
	if err := os.MkdirAll(filepath.Dir(s.socket), 0o700); err != nil {
		return nil, fmt.Errorf("datastore socket: %w", err)
	}
	if err := os.Remove(s.socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the datastore socket of an earlier process: %w", err)
	}
	listener, err := net.Listen("unix", s.socket)
	if err != nil {
		return nil, fmt.Errorf("datastore socket: %w", err)
	}
	if err := os.Chmod(s.socket, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("datastore socket: %w", err), listener.Close())
	}
	grpcServer := grpc.NewServer(
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second}),
		grpc.MaxConcurrentStreams(math.MaxUint32),
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.MaxSendMsgSize(math.MaxInt32),
		grpc.ReadBufferSize(bufferBytes),
		grpc.WriteBufferSize(bufferBytes),
		grpc.SharedWriteBuffer(true),
	)
	server.New(s.backend, "unix", progressInterval, emulatedEtcd).Register(grpcServer)
	go func() {
		if err := grpcServer.Serve(listener); err != nil {
			failed <- fmt.Errorf("serve %s: %w", s.socket, err)
		}
	}()
	slog.Info("datastore serves", "socket", s.socket)
	// Watches never end by themselves, so there is no point in a graceful stop; the apiserver has stopped before.
	return grpcServer.Stop, nil
}
