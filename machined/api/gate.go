package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/keys"
)

// caller is who made a request.
type caller struct {
	key   keys.PublicKey
	shown bool // he showed one
	known bool // it is in the config, and what follows is set
	name  string
	role  types.KeyRole
	from  netip.Addr
}

// by is the caller in a sentence.
func (c caller) by() string {
	if c.known {
		return c.name
	}
	return "somebody without a key"
}

// id tells callers apart when something of theirs is counted.
func (c caller) id() string {
	if c.known {
		return c.key.String()
	}
	return c.from.String()
}

type (
	callerKey  struct{}
	controlKey struct{}
)

// callerOf is who made the request of ctx.
func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// identify finds out who made a request.
func (s *Server) identify(r *http.Request) caller {
	key, shown := keys.Peer(*r.TLS)
	s.mu.RLock()
	c := s.callers[key]
	s.mu.RUnlock()
	c.key, c.shown = key, shown
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		c.from = from.Addr().Unmap()
	}
	return c
}

// permit returns why the caller may not call a method, as the config is now.
func (s *Server) permit(m *method, key keys.PublicKey, shown bool) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	who, known := s.callers[key]
	switch {
	case m.role == anybody, m.keyless && !s.configured:
		return nil
	case !shown:
		return connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("%s needs a key: present a client certificate with an Ed25519 key", m.name))
	case !known:
		return connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("the key %s is not among machine.api.keys of this machine", key))
	case rank[who.role] < rank[m.role]:
		return connect.NewError(connect.CodePermissionDenied, fmt.Errorf("%s needs the role %s; the key %s has %s", m.name, m.role, who.name, who.role))
	}
	return nil
}

// gate lets a call through, or not, before anything of its body is read. Connect calls it for every procedure.
func (s *Server) gate(ctx context.Context, spec connect.Spec, _ connect.Peer, _ http.Header) (context.Context, error) {
	m := byProcedure[spec.Procedure]
	if m == nil {
		return nil, failure(connect.CodeUnimplemented, "there is no "+spec.Procedure)
	}
	who := callerOf(ctx)
	if err := s.permit(m, who.key, who.shown); err != nil {
		s.refused(m, who, err)
		return nil, err
	}
	return ctx, nil
}

// refused counts a call that was not let through.
func (s *Server) refused(m *method, who caller, err error) {
	s.counts.add(m.name, connect.CodeOf(err))
	name := "a key that it does not know"
	switch {
	case who.known:
		name = "the key " + who.name
	case !who.shown:
		name = "no key"
	}
	s.failures.Add(fmt.Sprintf("%s from %s with %s: %s", m.name, who.from, name, connect.CodeOf(err)))
}

// needs returns an error unless the caller has a role, which only a part of a method needs.
func needs(ctx context.Context, role types.KeyRole, what string) error {
	c := callerOf(ctx)
	if rank[c.role] >= rank[role] {
		return nil
	}
	return connect.NewError(connect.CodePermissionDenied, fmt.Errorf("%s needs the role %s; the key %s has %s", what, role, c.name, c.role))
}

// known is whether the caller may know more of the machine than its version and fingerprint.
func (s *Server) known(ctx context.Context) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return callerOf(ctx).known || !s.configured
}
