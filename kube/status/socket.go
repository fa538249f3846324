package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"time"

	"github.com/coracle-os/coracle/kube/control"
)

// Server answers on the control socket. The socket belongs to root, mode 0600, so it needs no authentication and may show
// the operator's kubeconfig and profiles.
type Server struct {
	Socket     string
	Version    string // of Kubernetes
	Kubeconfig string // path of the operator's
	Recorder   *Recorder
	Cluster    *Cluster // nil: a control plane without a node
	Drainer    Drainer  // nil: likewise
}

// Start listens, and serves until ctx is cancelled.
func (s *Server) Start(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(s.Socket), 0o700); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	if err := os.Remove(s.Socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the control socket of an earlier process: %w", err)
	}
	listener, err := net.Listen("unix", s.Socket)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(s.Socket, 0o600); err != nil {
		return errors.Join(fmt.Errorf("control socket: %w", err), listener.Close())
	}
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener) //nolint:errcheck // it ends with the process
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", s.serveStatus)
	mux.HandleFunc("GET /healthz", s.serveHealth)
	mux.HandleFunc("GET /kubeconfig", s.serveKubeconfig)
	mux.HandleFunc("POST /drain", s.serveDrain)
	mux.HandleFunc("DELETE /drain", s.serveUncordon)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// Status is the process's status now.
func (s *Server) Status() control.Status {
	status := s.Recorder.status()
	status.Version = s.Version
	if s.Cluster != nil {
		status.NodeReady, status.NodeMessage = s.Cluster.nodeReady()
		if status.NodeReady {
			status.NodeMessage = ""
		}
		status.PodsRunning, status.PodsTotal = s.Cluster.podCounts()
	}
	return status
}

func (s *Server) serveStatus(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.Status())
}

// serveHealth says ok when this server does its work: its apiserver answers and its node is ready.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	status := s.Status()
	switch {
	case status.Stopping:
		http.Error(w, "stopping", http.StatusServiceUnavailable)
	case !status.APIReady:
		http.Error(w, "the apiserver is not ready", http.StatusServiceUnavailable)
	case s.Cluster != nil && !status.NodeReady:
		http.Error(w, "the node is not ready: "+status.NodeMessage, http.StatusServiceUnavailable)
	default:
		_, _ = w.Write([]byte("ok\n"))
	}
}

func (s *Server) serveKubeconfig(w http.ResponseWriter, _ *http.Request) {
	data, err := os.ReadFile(s.Kubeconfig)
	if err != nil {
		http.Error(w, "no kubeconfig yet: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(data)
}
