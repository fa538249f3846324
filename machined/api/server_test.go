package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/api/machinepb/machinepbconnect"
	"github.com/coracle-os/coracle/machined/apply"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/machined/state"
)

// TestProtocols: the same handlers answer Connect, gRPC and gRPC-Web, over HTTP/2.
func TestProtocols(t *testing.T) {
	m := start(t)
	key := m.allow(t)[types.Reader]
	for name, option := range map[string]connect.ClientOption{"connect": connect.WithClientOptions(), "json": connect.WithProtoJSON(), "grpc": connect.WithGRPC(), "grpc-web": connect.WithGRPCWeb()} {
		t.Run(name, func(t *testing.T) {
			h := &http.Client{Transport: &http.Transport{TLSClientConfig: tlsConfig(t, key), ForceAttemptHTTP2: true}}
			defer h.CloseIdleConnections()
			c := machinepbconnect.NewMachineServiceClient(h, "https://"+m.address, option)
			if s, err := c.GetStatus(t.Context(), connect.NewRequest(&machinepb.GetStatusRequest{})); err != nil || s.Msg.Status.Name != "pi" {
				t.Errorf("%v, %v", s, err)
			}
			_, err := c.Reboot(t.Context(), connect.NewRequest(&machinepb.RebootRequest{}))
			if code(err) != "permission_denied" {
				t.Errorf("reboot: %v", err)
			}
			stream, err := c.GetLogs(t.Context(), connect.NewRequest(&machinepb.GetLogsRequest{Service: "kube", TailLines: 1}))
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			if got, err := receive(stream, (*machinepb.GetLogsResponse).GetData, 1<<20); got != "three\n" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestCurl: every method, streams too, answers JSON with JSON over HTTP/1.1.
func TestCurl(t *testing.T) {
	m := start(t)
	m.logs <- "more\n"
	close(m.logs)
	c := plain(t, m.allow(t)[types.Reader])
	for name, tc := range map[string]struct {
		method, body string
		status       int
		want         string
	}{
		"unary":             {"GetStatus", "{}", 200, `"name":"pi"`},
		"stream":            {"GetLogs", `{"service":"kube","tailLines":"1","follow":true}`, 200, "{\"data\":\"bW9yZQo=\"}\n"},
		"stream, ended":     {"WatchHealth", `{`, 400, `"code":"invalid_argument"`},
		"stream, refused":   {"GetSupportBundle", `{}`, 403, `"code":"permission_denied"`},
		"stream, no log":    {"GetLogs", `{"service":"cube"}`, 400, "there are kernel, kube"},
		"a field by number": {"GetStatus", "[]", 400, `"code":"invalid_argument"`},
	} {
		t.Run(name, func(t *testing.T) {
			if status, answer := m.post(t, c, tc.method, tc.body); status != tc.status || !strings.Contains(answer, tc.want) {
				t.Errorf("%d %s", status, answer)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	m := start(t)
	private := m.allow(t)
	c := m.client(t, private[types.Admin])
	ctx := t.Context()
	if k, err := c.GetKubeconfig(ctx, connect.NewRequest(&machinepb.GetKubeconfigRequest{})); err != nil || string(k.Msg.Kubeconfig) != "apiVersion: v1\n" {
		t.Errorf("%v, %v", k, err)
	}
	if p, err := c.ListProcesses(ctx, connect.NewRequest(&machinepb.ListProcessesRequest{})); err != nil || len(p.Msg.Processes) != 1 || p.Msg.Processes[0].Args != "init --token=hidden" {
		t.Errorf("%v, %v", p, err)
	}
	if p, err := c.ListServices(ctx, connect.NewRequest(&machinepb.ListServicesRequest{})); err != nil || len(p.Msg.Services) != 3 || p.Msg.Services[1].MemoryBytes != 33 {
		t.Errorf("%v, %v", p, err)
	}
	if v, err := c.GetMemory(ctx, connect.NewRequest(&machinepb.GetMemoryRequest{})); err != nil || v.Msg.Meminfo["MemTotal"] != 1024000 || len(v.Msg.Cgroups) != 1 {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := c.GetNetwork(ctx, connect.NewRequest(&machinepb.GetNetworkRequest{})); err != nil || v.Msg.Nameservers[0] != "192.0.2.53" || v.Msg.Hostname != "pi" {
		t.Errorf("%v, %v", v, err)
	}
	if v, err := c.GetTime(ctx, connect.NewRequest(&machinepb.GetTimeRequest{})); err != nil || v.Msg.Servers[0] != "ntp.example" || v.Msg.Now == nil {
		t.Errorf("%v, %v", v, err)
	}
	for what, err := range map[string]error{
		"mounts":      second(c.ListMounts(ctx, connect.NewRequest(&machinepb.ListMountsRequest{}))),
		"disks":       second(c.ListDisks(ctx, connect.NewRequest(&machinepb.ListDisksRequest{}))),
		"connections": second(c.ListConnections(ctx, connect.NewRequest(&machinepb.ListConnectionsRequest{}))),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for name, tc := range map[string]struct {
		call func() error
		code string
		last string
	}{
		"shutdown": {func() error { return second(c.Shutdown(ctx, connect.NewRequest(&machinepb.ShutdownRequest{}))) }, "ok", "poweroff by anna"},
		"restart": {func() error {
			return second(c.RestartService(ctx, connect.NewRequest(&machinepb.RestartServiceRequest{Name: "kube"})))
		}, "ok", "restart kube"},
		"restart what": {func() error {
			return second(c.RestartService(ctx, connect.NewRequest(&machinepb.RestartServiceRequest{Name: "x"})))
		}, "invalid_argument", ""},
		"reset": {func() error { return second(c.Reset(ctx, connect.NewRequest(&machinepb.ResetRequest{Name: "pi"}))) }, "ok", "reset by anna"},
		"reset what": {func() error {
			return second(c.Reset(ctx, connect.NewRequest(&machinepb.ResetRequest{Name: "another"})))
		}, "invalid_argument", ""},
		"confirm": {func() error {
			return second(c.ConfirmConfig(ctx, connect.NewRequest(&machinepb.ConfirmConfigRequest{})))
		}, "ok", "confirm by anna"},
		"cancel": {func() error { return second(c.CancelConfig(ctx, connect.NewRequest(&machinepb.CancelConfigRequest{}))) }, "ok", "cancel by anna"},
		"patch": {func() error {
			return second(c.PatchConfig(ctx, connect.NewRequest(&machinepb.PatchConfigRequest{Patch: []byte("x")})))
		}, "ok", "patch x"},
		"apply": {func() error {
			return second(c.ApplyConfig(ctx, connect.NewRequest(&machinepb.ApplyConfigRequest{Config: []byte("y"), Mode: machinepb.ApplyMode_APPLY_MODE_TRY, TryFor: durationpb.New(time.Minute)})))
		}, "ok", "apply y try by anna"},
		"apply nothing": {func() error { return second(c.ApplyConfig(ctx, connect.NewRequest(&machinepb.ApplyConfigRequest{}))) }, "invalid_argument", ""},
		"no such mode": {func() error {
			return second(c.ApplyConfig(ctx, connect.NewRequest(&machinepb.ApplyConfigRequest{Config: []byte("y"), Mode: 9})))
		}, "invalid_argument", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m.note("")
			if err := tc.call(); code(err) != tc.code || m.last() != tc.last {
				t.Errorf("%v; asked %q", err, m.last())
			}
		})
	}
	for want, err := range map[string]error{"failed_precondition": &apply.Refused{Reasons: []string{"no"}}, "aborted": apply.ErrOtherDigest, "internal": errors.New("disk")} {
		m.config.err = err
		if err := second(c.PatchConfig(ctx, connect.NewRequest(&machinepb.PatchConfigRequest{Patch: []byte("x")}))); code(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	stream, err := c.GetEvents(ctx, connect.NewRequest(&machinepb.GetEventsRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	seen := ""
	for stream.Receive() {
		seen += stream.Msg().Event.Message + " by " + stream.Msg().Event.By + "\n"
	}
	for _, want := range []string{"kube is restarted by anna\n", "poweroff was asked for by anna\n", "the config that was tried is kept by anna\n", "a config was tried for 1m0s"} {
		if !strings.Contains(seen, want) {
			t.Errorf("events lack %q:\n%s", want, seen)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestMetrics(t *testing.T) {
	m := start(t)
	private := m.allow(t)
	m.store.Update(func(s *state.Machine) { *s = healthy() })
	m.post(t, plain(t, nil), "GetStatus", "{}")
	get := func(c *http.Client) (int, string) {
		resp, err := c.Get("https://" + m.address + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	status, text := get(plain(t, private[types.Reader]))
	for _, want := range []string{
		"# HELP coracle_info What runs; the value is always 1.\n# TYPE coracle_info gauge\ncoracle_info{version=\"0.1.0\",",
		"\ncoracle_memory_available_bytes 512000\n", "\ncoracle_cpu_seconds_total{mode=\"user\"} 1\n", "\ncoracle_load5 2\n",
		"\ncoracle_api_requests_total{method=\"GetStatus\",code=\"unauthenticated\"} 1\n", "\ncoracle_cgroup_memory_bytes{cgroup=\"machined\"} 77\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if status != 200 || t.Failed() {
		t.Errorf("%d\n%s", status, text)
	}
	if status, text := get(plain(t, nil)); status != 401 || strings.Contains(text, "coracle_") {
		t.Errorf("without a key: %d %s", status, text)
	}
}

func TestAnotherMachineIsNotTrusted(t *testing.T) {
	m := start(t)
	c, err := client.New(client.Options{Address: m.address, Fingerprint: keys.Public(generate(t)).Fingerprint()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.GetVersion(t.Context(), connect.NewRequest(&machinepb.GetVersionRequest{}))
	if !errors.Is(err, client.ErrOtherMachine) || code(err) != "unavailable" {
		t.Errorf("error %v", err)
	}
}

// TestAnswerComesThoughTheServerStops: a config with another port for the API is answered on the old one.
func TestAnswerComesThoughTheServerStops(t *testing.T) {
	m := start(t)
	c := m.client(t, m.allow(t)[types.Admin])
	m.config.release = make(chan struct{})
	answered := make(chan error)
	go func() {
		_, err := c.ApplyConfig(context.Background(), connect.NewRequest(&machinepb.ApplyConfigRequest{Config: []byte("x")}))
		answered <- err
	}()
	<-m.config.entered
	m.stop()
	close(m.config.release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if got := m.last(); got != "apply x auto by anna" {
		t.Errorf("%q: the change did not go on", got)
	}
}

// TestChangeGoesOnWhenTheCallerGoes: the new network config may be what cut him off.
func TestChangeGoesOnWhenTheCallerGoes(t *testing.T) {
	m := start(t)
	c := m.client(t, m.allow(t)[types.Admin])
	m.config.release = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := c.ApplyConfig(ctx, connect.NewRequest(&machinepb.ApplyConfigRequest{Config: []byte("x")}))
		gone <- err
	}()
	<-m.config.entered
	cancel()
	if err := <-gone; code(err) != "canceled" {
		t.Errorf("%v", err)
	}
	close(m.config.release)
	eventually(t, "the config is applied", func() bool { return strings.HasPrefix(m.last(), "apply x") })
	list := fmt.Sprint(m.asked)
	if strings.Contains(list, "canceled") {
		t.Error(list)
	}
}
