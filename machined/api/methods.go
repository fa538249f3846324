package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/coracle-os/coracle/images/release"
	"github.com/coracle-os/coracle/machined/api/wire"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/state"
)

// anybody is the role that needs no key.
const anybody types.KeyRole = ""

// method is a method of the service.
type method struct {
	name string
	role types.KeyRole // the least that a caller needs
	// keyless: while the machine has no config, and so no keys, anybody may call it.
	keyless bool
	serve   func(*Server, http.ResponseWriter, *http.Request) error
}

// methods are all there are, with the role that each needs.
var methods = []method{
	{name: "GetVersion", role: anybody, serve: unary((*Server).getVersion)},
	{name: "GetStatus", role: types.Reader, keyless: true, serve: unary((*Server).getStatus)},
	{name: "GetLogs", role: types.Reader, serve: (*Server).getLogs},
	{name: "GetKubeconfig", role: types.Admin, serve: unary((*Server).getKubeconfig)},
	{name: "Reboot", role: types.Operator, serve: unary((*Server).reboot)},
	{name: "Shutdown", role: types.Operator, serve: unary((*Server).shutdown)},
}

// rank orders the roles.
var rank = map[types.KeyRole]int{anybody: 0, types.Reader: 1, types.Operator: 2, types.Admin: 3}

// Backend is what the methods act on.
type Backend struct {
	Store      *state.Store
	Release    release.Release
	Kubeconfig func(ctx context.Context) ([]byte, error)
	Power      func(message, by string) error // message is control.Reboot or control.Poweroff
	Logs       map[string]LogSource           // by service
}

// LogSource writes a log to w: at most tail bytes of what there is (0: all), then what is added until ctx ends.
type LogSource func(ctx context.Context, w io.Writer, tail int64, follow bool) error

// unary makes a handler of a function from request to answer.
func unary[Request, Answer any](f func(*Server, context.Context, Request) (Answer, error)) func(*Server, http.ResponseWriter, *http.Request) error {
	return func(s *Server, w http.ResponseWriter, r *http.Request) error {
		var request Request
		if err := decode(w, r, &request); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(r.Context(), unaryTimeout)
		defer cancel()
		answer, err := f(s, ctx, request)
		if err != nil {
			return err
		}
		body, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_, err = w.Write(body)
		return err
	}
}

// decode reads a request's JSON. An empty body is an empty request, for curl's sake.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return wire.Errorf(wire.ResourceExhausted, "the request is larger than %d bytes", maxRequest)
	case err != nil:
		return wire.Errorf(wire.InvalidArgument, "read the request: %v", err)
	case len(bytes.TrimSpace(body)) == 0:
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return wire.Errorf(wire.InvalidArgument, "the request: %v", err)
	}
	return nil
}

func (s *Server) getVersion(context.Context, wire.Empty) (wire.Version, error) {
	r := s.Backend.Release
	return wire.Version{Version: r.Version, Kubernetes: r.Kubernetes, Kernel: r.Kernel, Arch: r.Arch}, nil
}

func (s *Server) getStatus(context.Context, wire.Empty) (state.Machine, error) {
	m, _ := s.Backend.Store.Get()
	return m, nil
}

func (s *Server) getKubeconfig(ctx context.Context, _ wire.Empty) (wire.Kubeconfig, error) {
	k, err := s.Backend.Kubeconfig(ctx)
	if err != nil {
		return wire.Kubeconfig{}, wire.Errorf(wire.Unavailable, "Kubernetes has none to give yet: %v", err)
	}
	return wire.Kubeconfig{Kubeconfig: string(k)}, nil
}
