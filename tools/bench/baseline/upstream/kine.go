package main

import (
	"context"
	"math"
	"net"
	"os"
	"sync"
	"time"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/drivers/sqlite"
	"github.com/k3s-io/kine/pkg/server"
	"google.golang.org/grpc"
)

// kineSocket is where the apiserver finds kine.
const kineSocket = "/run/kine.sock"

// kine serves SQLite in the working folder with the defaults of kine's own command: its data source name (WAL,
// synchronous=NORMAL), its intervals, everything in one store on disk.
func kine() error {
	ctx := context.Background()
	_, backend, err := sqlite.New(ctx, &sync.WaitGroup{}, &drivers.Config{
		CompactInterval:  5 * time.Minute,
		CompactTimeout:   5 * time.Second,
		CompactMinRetain: 1000,
		CompactBatchSize: 1000,
		PollInterval:     time.Second,
		PollBatchSize:    500,
	})
	if err != nil {
		return err
	}
	if err := backend.Start(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(kineSocket); err != nil {
		return err
	}
	listener, err := net.Listen("unix", kineSocket)
	if err != nil {
		return err
	}
	s := grpc.NewServer(grpc.MaxSendMsgSize(math.MaxInt32))
	server.New(backend, "unix", 5*time.Second, "3.6.0").Register(s)
	return s.Serve(listener)
}
