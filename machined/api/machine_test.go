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
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/images/release"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/api"
	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb/machinepbconnect"
	"github.com/coracle-os/coracle/machined/api/podlog"
	"github.com/coracle-os/coracle/machined/apply"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/inspect"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/machined/services"
	"github.com/coracle-os/coracle/machined/state"
)

const service = "/" + machinepbconnect.MachineServiceName + "/"

// machine is a machine whose API is on loopback.
type machine struct {
	server      *api.Server
	store       *state.Store
	events      *events.Log
	config      *config
	logs        chan string // what is added to the log of kube
	pods        string      // folder of pods' logs
	address     string
	fingerprint string
	stop        func()
	keys        []types.Key

	mu    sync.Mutex
	asked []string // of the machine, such as "poweroff by otto"
}

func (m *machine) note(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, s)
}

func (m *machine) last() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.asked) == 0 {
		return ""
	}
	return m.asked[len(m.asked)-1]
}

// config is a machine's config that notes what is asked of it.
type config struct {
	*machine
	entered chan struct{} // Apply has begun
	release chan struct{} // Apply goes on; nil: it does not wait
	err     error
}

func (c *config) GetConfig(_ context.Context, secrets bool) (api.ConfigFile, error) {
	if secrets {
		return api.ConfigFile{YAML: []byte("token: secret\n"), Digest: "d1"}, nil
	}
	return api.ConfigFile{YAML: []byte("token: REDACTED\n"), Digest: "d1"}, nil
}

func (c *config) Apply(ctx context.Context, r apply.Request) (apply.Result, error) {
	if c.release != nil {
		c.entered <- struct{}{}
		<-c.release
	}
	c.note("apply " + string(r.Text) + " " + string(r.Mode) + " by " + r.By)
	if err := ctx.Err(); err != nil {
		return apply.Result{}, err
	}
	return apply.Result{Digest: "d2", TryFor: r.TryFor, Effects: []string{"name"}}, c.err
}

func (c *config) Patch(_ context.Context, r apply.Request) (apply.Result, error) {
	c.note("patch " + string(r.Text))
	return apply.Result{}, c.err
}

func (c *config) Confirm(by string) error { c.note("confirm by " + by); return nil }

func (c *config) Cancel(by string) (string, error) { c.note("cancel by " + by); return "try", nil }

// log is a log that a test writes.
type log struct {
	begin string
	more  chan string
	began bool
}

func (l *log) Next(w io.Writer) error {
	text := ""
	if !l.began {
		text, l.began = l.begin, true
	}
	select {
	case more, ok := <-l.more:
		if !ok {
			return io.EOF
		}
		text += more
	default:
	}
	_, err := io.WriteString(w, text)
	return err
}

func (l *log) Close() error { return nil }

const kubeLog = "I0102 15:04:05.000000 1 a.go:1] one\nI0102 16:04:05.000000 1 a.go:1] two\nthree\n"

// start serves the API of a machine on loopback.
func start(t *testing.T) *machine {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, listener)
}

func startOn(t *testing.T, listener net.Listener) *machine {
	t.Helper()
	m := &machine{logs: make(chan string, 8), pods: t.TempDir(), store: state.NewStore(state.Machine{Name: "pi"}), events: new(events.Log)}
	m.config = &config{machine: m, entered: make(chan struct{}, 8)}
	system := inspect.System{
		Proc: fstest.MapFS{
			"1/stat":         {Data: []byte("1 (init) S 0 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 300 1048576 10 0 0 0 0\n")},
			"1/cmdline":      {Data: []byte("init\x00--token=hidden\x00")},
			"meminfo":        {Data: []byte("MemTotal: 1000 kB\nMemAvailable: 500 kB\n")},
			"self/mountinfo": {Data: nil}, "stat": {Data: []byte("cpu 100 0 0 0 0 0 0 0\n")}, "loadavg": {Data: []byte("1 2 3\n")}, "uptime": {Data: []byte("5.0 1\n")},
		},
		Sys: fstest.MapFS{"fs/cgroup/machined/memory.stat": {Data: []byte("anon 33\nfile 44\n")}, "fs/cgroup/machined/memory.current": {Data: []byte("77\n")}, "class/block/x": {}},
		Etc: fstest.MapFS{"resolv.conf": {Data: []byte("nameserver 192.0.2.53\n")}},
	}
	m.server = &api.Server{
		Log: slog.New(slog.DiscardHandler),
		Backend: api.Backend{
			Store: m.store, Events: m.events, System: system, PodLogs: podlog.Folder(m.pods), Config: m.config,
			Release:     release.Release{Version: "0.1.0", Kubernetes: "v1.37.2", Kernel: "6.12", Arch: "amd64"},
			TimeServers: func() []string { return []string{"ntp.example"} },
			Tokens:      fakeTokens{m},
			Endpoint:    func() string { return "kube.example.com" },
			Kubeconfig:  func(context.Context) ([]byte, error) { return []byte("apiVersion: v1\n"), nil },
			Restart:     map[string]func() error{"kube": func() error { m.note("restart kube"); return nil }},
			Power:       func(message, by string) error { m.note(message + " by " + by); return nil },
			Reset: func(_ context.Context, o api.ResetOptions) error {
				m.note("reset by " + o.By)
				return nil
			},
			Logs: map[string]api.LogSource{
				api.KubeLog: {Open: func() (api.LogReader, error) { return &log{begin: kubeLog, more: m.logs}, nil }, Time: api.KubeTime},
				api.KernelLog: {Open: func() (api.LogReader, error) {
					return &log{begin: "[    0.1] args: coracle.config=https://u:secret@h/ quiet\n"}, nil
				}},
			},
		},
	}
	private := generate(t)
	certificate, err := keys.Certificate(private, "pi")
	if err != nil {
		t.Fatal(err)
	}
	m.address, m.fingerprint = listener.Addr().String(), keys.Public(private).Fingerprint()
	m.store.Update(func(s *state.Machine) { s.API.Fingerprint = m.fingerprint })
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
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

// fakeTokens notes what it is asked for; a token gone00 is not there.
type fakeTokens struct{ *machine }

func (f fakeTokens) CreateToken(_ context.Context, n control.NewToken) (control.MadeToken, error) {
	f.note(fmt.Sprintf("create token %q for %s", n.Description, n.TTL))
	return control.MadeToken{JoinToken: control.JoinToken{ID: "abc123", Description: n.Description, Expires: time.Unix(1000, 0)}, Token: "coracle1.x", Endpoint: "192.0.2.7:6443"}, nil
}

func (f fakeTokens) ListTokens(context.Context) ([]control.JoinToken, error) {
	return []control.JoinToken{{ID: "abc123"}}, nil
}

func (f fakeTokens) DeleteToken(_ context.Context, id string) error {
	f.note("delete token " + id)
	if id == "gone00" {
		return &services.Refused{Status: http.StatusNotFound, Why: "there is none"}
	}
	return nil
}

func generate(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	private, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return private
}

// allow gives the machine one key of each role, and returns them by role.
func (m *machine) allow(t *testing.T) map[types.KeyRole]ed25519.PrivateKey {
	t.Helper()
	private := map[types.KeyRole]ed25519.PrivateKey{}
	var list []types.Key
	for role, name := range map[types.KeyRole]string{types.Admin: "anna", types.Operator: "otto", types.Reader: "rita"} {
		private[role] = generate(t)
		list = append(list, types.Key{Name: name, Role: role, Key: keys.Public(private[role])})
	}
	m.keys = list
	m.server.Allow(list, true)
	return private
}

// allowMore gives the machine one more key, of a reader.
func (m *machine) allowMore(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	private := generate(t)
	m.keys = append(m.keys, types.Key{Name: "rolf", Role: types.Reader, Key: keys.Public(private)})
	m.server.Allow(m.keys, true)
	return private
}

func renamed(s *state.Machine) { s.Name = "another" }

func (m *machine) client(t *testing.T, key ed25519.PrivateKey) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Address: m.address, Key: key, Fingerprint: m.fingerprint})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// plain is what curl is: HTTP/1.1 without knowledge of protobuf.
func plain(t *testing.T, key ed25519.PrivateKey) *http.Client {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: tlsConfig(t, key)}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// tlsConfig shows a key, if there is one, and trusts any machine.
func tlsConfig(t *testing.T, key ed25519.PrivateKey) *tls.Config {
	t.Helper()
	c := &tls.Config{InsecureSkipVerify: true}
	if key != nil {
		certificate, err := keys.Certificate(key, "client")
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{certificate}
	}
	return c
}

// post calls a method as curl does.
func (m *machine) post(t *testing.T, c *http.Client, method, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+m.address+service+method, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// code of an error, "ok" for none.
func code(err error) string {
	if err == nil {
		return "ok"
	}
	return connect.CodeOf(err).String()
}

// eventually waits for something that happens soon.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
	}
}

// receive collects a stream of logs until there are n bytes, or its end.
func receive[A any](stream *connect.ServerStreamForClient[A], data func(*A) []byte, n int) (string, error) {
	var b bytes.Buffer
	for b.Len() < n && stream.Receive() {
		b.Write(data(stream.Msg()))
	}
	return b.String(), errors.Join(stream.Err())
}
