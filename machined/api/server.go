// Package api is the machine API: HTTP over TLS 1.3, where callers are known by their Ed25519 keys.
//
// Both ends show self-signed certificates. Who a caller is, is his key; what he may do, the role that the config gives
// it; what a method needs, the table in methods.go.
package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coracle-os/coracle/machined/api/wire"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/keys"
)

// Limits on what a caller can make the machine do. There are few callers, and 256 MiB machines.
const (
	maxRequest     = 64 << 10 // bytes of body
	maxHeader      = 16 << 10 // bytes
	maxConnections = 64
	maxPerAddress  = 16 // connections of one address
	headerTimeout  = 10 * time.Second
	readTimeout    = 20 * time.Second
	unaryTimeout   = 15 * time.Second
	writeTimeout   = 20 * time.Second
	idleTimeout    = 30 * time.Second
)

// Server is the machine API.
type Server struct {
	Backend Backend
	Log     *slog.Logger

	mu         sync.RWMutex
	callers    map[keys.PublicKey]caller
	configured bool
}

// caller is who made a request.
type caller struct {
	name string
	role types.KeyRole
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	if c.name == "" {
		c.name = "somebody without a key"
	}
	return c
}

// Allow sets the keys that are known. configured is whether the machine has a config that could name any.
func (s *Server) Allow(allowed []types.Key, configured bool) {
	callers := map[keys.PublicKey]caller{}
	for _, k := range allowed {
		callers[k.Key] = caller{k.Name, k.Role}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callers, s.configured = callers, configured
}

// Serve answers on listener until ctx ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener, certificate tls.Certificate) error {
	server := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTimeout, // of the TLS handshake too
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout, // streams move it on as they go
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug), // strangers' TLS errors
		// HTTP/1.1 only: a stream a connection keeps the limits above simple.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	secured := tls.NewListener(newLimiter(listener, maxConnections, maxPerAddress), &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{certificate},
		// The handshake proves that the caller has the key of the certificate; whose it is, is looked up per request.
		ClientAuth: tls.RequestClientCert,
		// A resumed session would carry on with a key that was taken out of the config.
		SessionTicketsDisabled: true,
		NextProtos:             []string{"http/1.1"},
	})
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(secured); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler routes a request to its method, once the caller may call it.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, m := range methods {
		mux.HandleFunc(wire.Service+m.name, func(w http.ResponseWriter, r *http.Request) {
			who, err := s.authorize(m, r)
			if err == nil {
				err = m.serve(s, w, r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
			}
			if err != nil {
				s.refuse(w, m.name, err)
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, "", wire.Errorf(wire.Unimplemented, "there is no %s; methods are called with POST %sMETHOD", r.URL.Path, wire.Service))
	})
	return mux
}

// authorize finds out who calls and whether he may.
func (s *Server) authorize(m method, r *http.Request) (caller, error) {
	if r.Method != http.MethodPost {
		return caller{}, wire.Errorf(wire.Unimplemented, "%s is called with POST", m.name)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	key, shown := keys.Peer(*r.TLS)
	who, known := s.callers[key]
	switch {
	case m.role == anybody, m.keyless && !s.configured:
		return who, nil
	case !shown:
		return who, wire.Errorf(wire.Unauthenticated, "%s needs a key: present a client certificate with an Ed25519 key", m.name)
	case !known:
		return who, wire.Errorf(wire.Unauthenticated, "the key %s is not among machine.api.keys of this machine", key)
	case rank[who.role] < rank[m.role]:
		return who, wire.Errorf(wire.PermissionDenied, "%s needs the role %s; the key %s has %s", m.name, m.role, who.name, who.role)
	}
	return who, nil
}

// refuse answers with an error.
func (s *Server) refuse(w http.ResponseWriter, method string, err error) {
	var known *wire.Error
	if !errors.As(err, &known) {
		s.Log.Error("API", "method", method, "error", err)
		known = wire.Errorf(wire.Internal, "%v", err)
	}
	body, err := json.Marshal(known)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(known.Status())
	w.Write(body)
}
