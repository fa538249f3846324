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
	"sync"
	"time"

	"github.com/coracle-os/coracle/kube/control"
)

// Server answers on the control socket. The socket belongs to root, mode 0600, so it needs no authentication and may show
// the operator's kubeconfig and profiles.
type Server struct {
	Socket     string
	Version    string // of Kubernetes
	Kubeconfig string // path of the operator's; empty: this is an agent, which has none
	Recorder   *Recorder
	Tokens     Tokens // nil: this is an agent

	mu      sync.Mutex // guards what follows
	cluster *Cluster
	drainer Drainer
}

// SetNode says which node this is. Before that there is none: a control plane alone, or an agent that has not joined.
func (s *Server) SetNode(cluster *Cluster, drainer Drainer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cluster, s.drainer = cluster, drainer
}

func (s *Server) node() (*Cluster, Drainer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cluster, s.drainer
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
	mux.HandleFunc("POST /tokens", s.tokens(s.createToken))
	mux.HandleFunc("GET /tokens", s.tokens(s.listTokens))
	mux.HandleFunc("DELETE /tokens/{id}", s.tokens(s.deleteToken))
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
	cluster, _ := s.node()
	if cluster == nil {
		return status
	}
	status.NodeReady, status.NodeMessage = cluster.nodeReady()
	if s.agent() && !status.APIReady {
		// What was seen last may be old, and the cluster takes the node for lost.
		status.NodeReady, status.NodeMessage = false, "the Kubernetes API of the servers does not answer"
	}
	if status.NodeReady {
		status.NodeMessage = ""
	}
	status.PodsRunning, status.PodsTotal = cluster.podCounts()
	return status
}

// agent is whether this machine has no control plane.
func (s *Server) agent() bool { return s.Kubeconfig == "" }

func (s *Server) serveStatus(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.Status())
}

// serveHealth says ok when this server does its work: its apiserver answers and its node is ready.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	status := s.Status()
	cluster, _ := s.node()
	switch {
	case status.Stopping:
		http.Error(w, "stopping", http.StatusServiceUnavailable)
	case !status.APIReady:
		http.Error(w, "the apiserver is not ready", http.StatusServiceUnavailable)
	case (cluster != nil || s.agent()) && !status.NodeReady:
		http.Error(w, "the node is not ready: "+status.NodeMessage, http.StatusServiceUnavailable)
	default:
		_, _ = w.Write([]byte("ok\n"))
	}
}

func (s *Server) serveKubeconfig(w http.ResponseWriter, _ *http.Request) {
	if s.agent() {
		http.Error(w, "this machine is an agent; its servers have the kubeconfig of the cluster", http.StatusNotImplemented)
		return
	}
	data, err := os.ReadFile(s.Kubeconfig)
	if err != nil {
		http.Error(w, "no kubeconfig yet: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(data)
}
