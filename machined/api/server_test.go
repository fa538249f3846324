package api_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coracle-os/coracle/images/release"
	"github.com/coracle-os/coracle/machined/api"
	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/wire"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/machined/state"
)

type machine struct {
	server      *api.Server
	address     string
	fingerprint string
	power       atomic.Value // last message and by whom
}

// start serves the API of a machine on loopback.
func start(t *testing.T) *machine {
	t.Helper()
	m := &machine{}
	m.server = &api.Server{
		Log: slog.New(slog.DiscardHandler),
		Backend: api.Backend{
			Store:      state.NewStore(state.Machine{Name: "pi"}),
			Release:    release.Release{Version: "0.1.0", Kubernetes: "v1.37.2"},
			Kubeconfig: func(context.Context) ([]byte, error) { return []byte("apiVersion: v1\n"), nil },
			Power:      func(message, by string) error { m.power.Store(message + " by " + by); return nil },
			Logs: map[string]api.LogSource{"kube": func(ctx context.Context, w io.Writer, tail int64, follow bool) error {
				fmt.Fprintf(w, "tail %d\n", tail)
				for i := 0; follow; i++ {
					if _, err := fmt.Fprintf(w, "line %d\n", i); err != nil {
						return err
					}
					select {
					case <-ctx.Done():
						return nil
					case <-time.After(10 * time.Millisecond):
					}
				}
				return nil
			}},
		},
	}
	private := generate(t)
	certificate, err := keys.Certificate(private, "pi")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.address, m.fingerprint = listener.Addr().String(), keys.Public(private).Fingerprint()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- m.server.Serve(ctx, listener, certificate) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return m
}

func generate(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	private, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return private
}

func (m *machine) client(t *testing.T, key ed25519.PrivateKey) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Address: m.address, Key: key, Fingerprint: m.fingerprint})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// calls calls each method and returns the code of its error, "ok" if there was none.
func calls(t *testing.T, c *client.Client) map[string]string {
	t.Helper()
	got := map[string]string{}
	note := func(name string, err error) {
		var failure *wire.Error
		switch {
		case err == nil:
			got[name] = "ok"
		case errors.As(err, &failure):
			got[name] = string(failure.Code)
		default:
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx := t.Context()
	_, err := c.Version(ctx)
	note("GetVersion", err)
	_, err = c.Status(ctx)
	note("GetStatus", err)
	logs, err := c.Logs(ctx, wire.LogsRequest{Service: "kube"})
	note("GetLogs", err)
	if err == nil {
		logs.Close()
	}
	_, err = c.Kubeconfig(ctx)
	note("GetKubeconfig", err)
	note("Reboot", c.Reboot(ctx))
	note("Shutdown", c.Shutdown(ctx))
	return got
}

func TestRoles(t *testing.T) {
	m := start(t)
	admin, operator, reader := generate(t), generate(t), generate(t)
	m.server.Allow([]types.Key{
		{Name: "anna", Role: types.Admin, Key: keys.Public(admin)},
		{Name: "otto", Role: types.Operator, Key: keys.Public(operator)},
		{Name: "rita", Role: types.Reader, Key: keys.Public(reader)},
	}, true)
	const ok, denied, unknown = "ok", "permission_denied", "unauthenticated"
	for name, tc := range map[string]struct {
		key  ed25519.PrivateKey
		want [6]string // version, status, logs, kubeconfig, reboot, shutdown
	}{
		"admin":    {admin, [6]string{ok, ok, ok, ok, ok, ok}},
		"operator": {operator, [6]string{ok, ok, ok, denied, ok, ok}},
		"reader":   {reader, [6]string{ok, ok, ok, denied, denied, denied}},
		"stranger": {generate(t), [6]string{ok, unknown, unknown, unknown, unknown, unknown}},
		"no key":   {nil, [6]string{ok, unknown, unknown, unknown, unknown, unknown}},
	} {
		t.Run(name, func(t *testing.T) {
			got := calls(t, m.client(t, tc.key))
			for i, method := range []string{"GetVersion", "GetStatus", "GetLogs", "GetKubeconfig", "Reboot", "Shutdown"} {
				if got[method] != tc.want[i] {
					t.Errorf("%s: %s, want %s", method, got[method], tc.want[i])
				}
			}
		})
	}
	m.client(t, operator).Shutdown(t.Context())
	if got := m.power.Load(); got != "poweroff by otto" {
		t.Errorf("power: %v", got)
	}
}

func TestAKeyThatIsTakenAwayIsRefusedAtOnce(t *testing.T) {
	m := start(t)
	key := generate(t)
	m.server.Allow([]types.Key{{Name: "a", Role: types.Reader, Key: keys.Public(key)}}, true)
	c := m.client(t, key)
	if _, err := c.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.server.Allow(nil, true)
	if _, err := c.Status(t.Context()); err == nil {
		t.Error("it still works, on the connection that is open")
	}
}

func TestWithoutConfigAnybodySeesTheStatus(t *testing.T) {
	m := start(t)
	m.server.Allow(nil, false)
	got := calls(t, m.client(t, nil))
	for method, want := range map[string]string{"GetStatus": "ok", "GetKubeconfig": "unauthenticated", "Reboot": "unauthenticated", "GetLogs": "unauthenticated"} {
		if got[method] != want {
			t.Errorf("%s: %s, want %s", method, got[method], want)
		}
	}
}

func TestAnswers(t *testing.T) {
	m := start(t)
	key := generate(t)
	m.server.Allow([]types.Key{{Name: "a", Role: types.Admin, Key: keys.Public(key)}}, true)
	c := m.client(t, key)
	if v, err := c.Version(t.Context()); err != nil || v.Version != "0.1.0" {
		t.Errorf("%+v, %v", v, err)
	}
	if s, err := c.Status(t.Context()); err != nil || s.Name != "pi" {
		t.Errorf("%+v, %v", s, err)
	}
	if k, err := c.Kubeconfig(t.Context()); err != nil || string(k) != "apiVersion: v1\n" {
		t.Errorf("%q, %v", k, err)
	}
	if _, err := c.Logs(t.Context(), wire.LogsRequest{Service: "cube"}); err == nil || !strings.Contains(err.Error(), "there are kube") {
		t.Errorf("logs of a service that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	logs, err := c.Logs(ctx, wire.LogsRequest{Service: "kube", Follow: true, Tail: 7})
	if err != nil {
		t.Fatal(err)
	}
	const want = "tail 7\nline 0\nline 1\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(logs, got); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	cancel()
	logs.Close()
}

func TestAnotherMachineIsNotTrusted(t *testing.T) {
	m := start(t)
	c, err := client.New(client.Options{Address: m.address, Fingerprint: keys.Public(generate(t)).Fingerprint()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Version(t.Context()); !errors.Is(err, client.ErrOtherMachine) {
		t.Errorf("error %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	m := start(t)
	plain := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer plain.CloseIdleConnections()
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		message            string
	}{
		"no body":       {"POST", wire.Service + "GetVersion", "", 200, "0.1.0"},
		"GET":           {"GET", wire.Service + "GetVersion", "", 501, "POST"},
		"no such":       {"POST", wire.Service + "GetRich", "{}", 501, "there is no"},
		"not JSON":      {"POST", wire.Service + "GetVersion", "{", 400, "the request"},
		"unknown field": {"POST", wire.Service + "GetVersion", `{"a":1}`, 400, "unknown field"},
		"too large":     {"POST", wire.Service + "GetVersion", `"` + strings.Repeat("x", 1<<20), 429, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tc.method, "https://"+m.address+tc.path, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := plain.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tc.status || !bytes.Contains(body, []byte(tc.message)) {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
		})
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	m := start(t)
	_, err := tls.Dial("tcp", m.address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12})
	if err == nil {
		t.Error("TLS 1.2 was accepted")
	}
}

func TestManyConnectionsOfOneAddress(t *testing.T) {
	m := start(t)
	for range 40 { // they say nothing, and hold what they got
		c, err := net.Dial("tcp", m.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if _, err := m.client(t, nil).Version(t.Context()); err == nil {
		t.Fatal("no limit")
	}
	another := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := tls.DialWithDialer(another, "tcp", m.address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatalf("another address is kept out: %v", err)
	}
	c.Close()
}
