// Command kube takes kube's place in an image from which plugs are pulled. All it does is write numbered records to DATA, each
// with a checksum and synced before the next, and check at its start that none of them is lost or changed. To machined it
// is a kube whose node is Ready; its "pods" are the records: all of them, and those that are whole.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/tools/vm/boottest/light/records"
)

// path is where the records are.
var path = filepath.Join(control.StateDir, "records")

// every is how often a record is written: some are, in each step of an upgrade.
const every = 50 * time.Millisecond

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGPWR)
	defer cancel()
	if _, err := os.Stdin.Read(make([]byte, 1)); err == nil { // machined closes it when DATA is there
		return fmt.Errorf("somebody writes to the standard input")
	}
	if err := os.MkdirAll(control.StateDir, 0o700); err != nil {
		return err
	}
	log, found, err := records.Open(path)
	if err != nil {
		return err
	}
	defer log.Close()
	fmt.Printf("%d records, of which %d are whole\n", found.All, found.Whole)
	var written atomic.Int32
	written.Store(int32(found.All))

	if err := os.Remove(control.SocketPath); err != nil && !os.IsNotExist(err) {
		return err
	}
	socket, err := net.Listen("unix", control.SocketPath)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		all := written.Load()
		whole := all - int32(found.All-found.Whole)
		json.NewEncoder(w).Encode(control.Status{
			PID: os.Getpid(), APIReady: true, NodeReady: true, PodsRunning: int(whole), PodsTotal: int(all), Stopping: ctx.Err() != nil,
		})
	})
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(control.Drained{Nowhere: true})
	})
	go http.Serve(socket, mux)

	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := log.Add(); err != nil {
			return err
		}
		written.Add(1)
	}
}
