// Package api is the machine API: Connect, gRPC and plain HTTP with JSON on one port, over TLS 1.3, where callers are
// known by their Ed25519 keys.
//
// Both ends show self-signed certificates. Who a caller is, is his key; what he may do, the role that the config gives
// it; what a method needs, the table in methods.go; where that is enforced, gate.go.
package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/keys"
)

// Limits on what a caller can make the machine do. There are few callers, and 256 MiB machines.
const (
	maxRequest          = 64 << 10 // bytes of body, but of methods that say otherwise
	maxHeader           = 16 << 10 // bytes
	maxConnections      = 64
	maxPerAddress       = 16 // connections of one address
	maxStreams          = 32 // answered at a time
	maxStreamsPerCaller = 8
	maxRequests         = 16 // at a time on one HTTP/2 connection
	headerTimeout       = 10 * time.Second
	readTimeout         = 20 * time.Second
	unaryTimeout        = 15 * time.Second
	applyTimeout        = time.Minute // a config's effects restart parts of the machine
	writeTimeout        = 20 * time.Second
	idleTimeout         = 60 * time.Second
	drainTimeout        = 10 * time.Second // for answers that are under way when the API stops
)

// Server is the machine API. Its zero value but for Backend and Log is ready.
type Server struct {
	Backend Backend
	Log     *slog.Logger

	mu         sync.RWMutex
	callers    map[keys.PublicKey]caller
	configured bool

	once       sync.Once
	streams    streams
	handshakes handshakes
	counts     counts
	failures   events.Failures
	changing   sync.Mutex // held while the config is changed
}

// Allow sets the keys that are known. configured is whether the machine has a config that could name any. Streams that
// the caller may no longer have are ended.
func (s *Server) Allow(allowed []types.Key, configured bool) {
	callers := map[keys.PublicKey]caller{}
	for _, k := range allowed {
		callers[k.Key] = caller{name: k.Name, role: k.Role, known: true}
	}
	s.mu.Lock()
	s.callers, s.configured = callers, configured
	s.mu.Unlock()
	s.streams.review(s.permit)
}

// Serve answers on listener until ctx ends, and then finishes the answers that are under way. Streams end with ctx.
func (s *Server) Serve(ctx context.Context, listener net.Listener, certificate tls.Certificate) error {
	s.once.Do(func() { s.failures.Log = s.Backend.Events })
	server := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTimeout, // of the TLS handshake too
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout, // streams move it on as they go
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         s.connState,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug), // strangers' TLS errors
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxRequests, MaxReceiveBufferPerConnection: 128 << 10, MaxReceiveBufferPerStream: 64 << 10,
			SendPingTimeout: 30 * time.Second, WriteByteTimeout: writeTimeout,
		},
		TLSConfig: &tls.Config{
			MinVersion:   tls.VersionTLS13,
			Certificates: []tls.Certificate{certificate},
			// The handshake proves that the caller has the key of the certificate; whose it is, is looked up per request.
			ClientAuth: tls.RequestClientCert,
			// A resumed session would carry on with a key that was taken out of the config.
			SessionTicketsDisabled: true,
			GetConfigForClient:     s.handshakes.wait,
		},
	}
	drained := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(drained)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		server.Shutdown(patience)
		server.Close()
	})
	limited := &limiter{Listener: listener, most: maxConnections, mostPerAddress: maxPerAddress}
	err := server.ServeTLS(limited, "", "")
	if stop() { // it did not end because it was to
		return errors.Join(err, server.Close())
	}
	<-drained
	return nil
}

// connState is told when a connection does something. After the handshake it is known whose it is.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	secured, ok := c.(*tls.Conn)
	if !ok || state != http.StateActive && state != http.StateIdle {
		return
	}
	counted, ok := secured.NetConn().(*limited)
	if !ok {
		return
	}
	tlsState := secured.ConnectionState()
	if !tlsState.HandshakeComplete {
		return
	}
	key, _ := keys.Peer(tlsState)
	s.mu.RLock()
	_, known := s.callers[key]
	s.mu.RUnlock()
	if counted.setKeyed(known) && known {
		s.handshakes.giveBack(counted.from, time.Now())
	}
}
