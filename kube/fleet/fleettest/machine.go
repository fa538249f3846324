// Package fleettest has a machine for tests: its API as far as upgrades are concerned, without the machine.
package fleettest

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/api/machinepb/machinepbconnect"
	"github.com/coracle-os/coracle/machined/keys"
)

// Machine serves the machine API. What it is set to says how it behaves.
type Machine struct {
	machinepbconnect.UnimplementedMachineServiceHandler

	Address     string // host:port
	Fingerprint string

	mu      sync.Mutex
	Next    string       // version of the artifact that it is given
	Err     error        // of every call
	running string       // version
	staged  string       // version
	trials  int          // how often it will still say that it is on trial
	clients []string     // public keys of those who called
	pulled  []string     // sources
	reboots int          // that it was asked for
	server  *http.Server //
}

// Start serves a machine that runs a version, until the test ends.
func Start(t *testing.T, version string) *Machine {
	t.Helper()
	key, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := keys.Certificate(key, "machine")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &Machine{Address: listener.Addr().String(), Fingerprint: keys.Public(key).Fingerprint(), running: version}
	_, handler := machinepbconnect.NewMachineServiceHandler(m)
	m.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			m.mu.Lock()
			if key, ok := keys.Peer(*r.TLS); ok {
				m.clients = append(m.clients, key.String())
			}
			m.mu.Unlock()
			handler.ServeHTTP(w, r)
		}),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13},
	}
	go m.server.ServeTLS(listener, "", "") //nolint:errcheck // it ends with the test
	t.Cleanup(func() { m.server.Close() })
	return m
}

// Set changes how it behaves.
func (m *Machine) Set(change func(*Machine)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

// Seen is what it was asked for so far, and by whom.
func (m *Machine) Seen() (clients, pulled []string, reboots int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clients, m.pulled, m.reboots
}

// Known is whether the last call was made with a key.
func (m *Machine) Known(key ed25519.PrivateKey) bool {
	clients, _, _ := m.Seen()
	return len(clients) > 0 && clients[len(clients)-1] == keys.Public(key).String()
}

// GetUpgrade says what is in its slots. A trial is confirmed after a few of these calls.
func (m *Machine) GetUpgrade(context.Context, *connect.Request[machinepb.GetUpgradeRequest]) (*connect.Response[machinepb.GetUpgradeResponse], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Err != nil {
		return nil, m.Err
	}
	r := &machinepb.GetUpgradeResponse{Slots: []*machinepb.Slot{{Name: "a", Version: m.running, State: "running"}, {Name: "b", State: "empty"}}}
	if m.trials > 0 {
		m.trials--
		r.Slots[0].State, r.TrialRemaining = "trial", durationpb.New(1)
	}
	if m.staged != "" {
		r.Slots[1] = &machinepb.Slot{Name: "b", Version: m.staged, State: "staged"}
	}
	return connect.NewResponse(r), nil
}

// PullUpgrade stages the next version.
func (m *Machine) PullUpgrade(_ context.Context, r *connect.Request[machinepb.PullUpgradeRequest], s *connect.ServerStream[machinepb.PullUpgradeResponse]) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pulled = append(m.pulled, r.Msg.Source)
	if m.Err != nil {
		return m.Err
	}
	if !r.Msg.Options.GetStage() || r.Msg.Options.GetForce() {
		return connect.NewError(connect.CodeInvalidArgument, nil)
	}
	for _, step := range []string{"check", "write", "verify"} {
		if err := s.Send(&machinepb.PullUpgradeResponse{Progress: &machinepb.UpgradeProgress{Step: step}}); err != nil {
			return err
		}
	}
	if m.Next == "" {
		return nil
	}
	m.staged = m.Next
	return s.Send(&machinepb.PullUpgradeResponse{Result: &machinepb.UpgradeResult{Version: m.Next, Slot: "b"}})
}

// CancelUpgrade takes back what is staged.
func (m *Machine) CancelUpgrade(context.Context, *connect.Request[machinepb.CancelUpgradeRequest]) (*connect.Response[machinepb.CancelUpgradeResponse], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.staged = ""
	return connect.NewResponse(&machinepb.CancelUpgradeResponse{Cancelled: "staged"}), m.Err
}

// Reboot takes it into the version that is staged, on trial.
func (m *Machine) Reboot(context.Context, *connect.Request[machinepb.RebootRequest]) (*connect.Response[machinepb.RebootResponse], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Err != nil {
		return nil, m.Err
	}
	m.reboots++
	if m.staged != "" {
		m.running, m.staged, m.trials = m.staged, "", 2
	}
	return connect.NewResponse(&machinepb.RebootResponse{}), nil
}
