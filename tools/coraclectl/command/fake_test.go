package command

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"flag"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/api/machinepb/machinepbconnect"
	"github.com/coracle-os/coracle/machined/keys"
)

var update = flag.Bool("update", false, "write golden files and docs/coraclectl.md")

// fake is a machine: its API over TLS on a port of this host, with made-up answers.
type fake struct {
	machinepbconnect.UnimplementedMachineServiceHandler
	address, fingerprint string

	mu       sync.Mutex
	status   *pb.Status
	config   string
	staged   string
	deny     error // of everything but GetVersion
	apply    *pb.ApplyConfigRequest
	patch    *pb.PatchConfigRequest
	answer   *pb.ApplyConfigResponse
	called   []string
	endpoint string // of GetKubeconfig
	token    *pb.CreateTokenRequest
	torn     bool   // the first stream of WatchHealth ends early
	healthy  []bool // answers of WatchHealth, in turn; the last one stays
	logs     *pb.GetLogsRequest
	caller   keys.PublicKey
	upgrade  fakeUpgrade
}

var at = timestamppb.New(time.Date(2026, 11, 26, 7, 30, 0, 0, time.UTC))

func newFake(t *testing.T, name string) *fake {
	t.Helper()
	key, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := keys.Certificate(key, name)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{fingerprint: keys.Public(key).Fingerprint(), status: fakeStatus(name), healthy: []bool{true}, answer: &pb.ApplyConfigResponse{}}
	_, handler := machinepbconnect.NewMachineServiceHandler(f, connect.WithInterceptors(f))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := keys.Peer(*r.TLS)
		f.mu.Lock()
		f.caller = who
		f.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(bytes.NewBuffer(nil), "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	f.address = strings.TrimPrefix(server.URL, "https://")
	return f
}

func fakeStatus(name string) *pb.Status {
	return &pb.Status{
		Name: name, MachineId: strings.Repeat("0a", 16), Role: "server", Version: "0.2.0", Kubernetes: "v1.37.2", Arch: "amd64", Slot: "a",
		Board:   &pb.Board{Model: "QEMU Standard PC (Q35 + ICH9, 2009)"},
		Config:  &pb.ConfigStatus{Source: "DATA", Digest: "abc"},
		Started: timestamppb.New(time.Now().Add(-3*time.Hour - 10*time.Second)), Addresses: []*pb.Address{{Interface: "eth0", Prefix: "192.0.2.7/24"}},
		ApiPort: 50000, Fingerprint: "SHA256:Yw3NKWbEM2aRElRIu7JbT/QSpJxzLbLIq8G4WBvXEN0",
		Time:   &pb.TimeStatus{Synced: true, Server: "192.0.2.1", LastSync: at},
		Data:   &pb.DataStatus{Ready: true, Device: "/dev/vda4", TotalBytes: 8 << 30, UsedBytes: 2 << 30},
		Memory: &pb.MemoryStatus{TotalBytes: 512 << 20, AvailableBytes: 384 << 20},
		Kube: &pb.KubeStatus{Phase: "ready", Pid: 300, NodeIp: "192.0.2.7", ApiReady: true, NodeReady: true, PodsRunning: 2, PodsTotal: 3,
			Components: []*pb.Component{{Name: "kube-apiserver", State: "ready", Since: at}}},
		Conditions: []*pb.Condition{{Id: "data.full", Severity: "warning", Message: "DATA is nearly full", Hint: "delete images", Since: at}},
	}
}

// WrapUnary notes what is called, and refuses it if so it should be.
func (f *fake) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		if err := f.enter(r.Spec().Procedure); err != nil {
			return nil, err
		}
		return next(ctx, r)
	}
}

func (f *fake) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (f *fake) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, c connect.StreamingHandlerConn) error {
		if err := f.enter(c.Spec().Procedure); err != nil {
			return err
		}
		return next(ctx, c)
	}
}

func (f *fake) enter(procedure string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	method := procedure[strings.LastIndex(procedure, "/")+1:]
	if method == "GetVersion" {
		return nil
	}
	f.called = append(f.called, method)
	return f.deny
}

func answer[T any](m *T) (*connect.Response[T], error) { return connect.NewResponse(m), nil }

func (f *fake) GetVersion(context.Context, *connect.Request[pb.GetVersionRequest]) (*connect.Response[pb.GetVersionResponse], error) {
	return answer(&pb.GetVersionResponse{Version: "0.2.0", Kubernetes: "v1.37.2", Kernel: "6.12.9", Arch: "amd64", Fingerprint: f.fingerprint})
}

func (f *fake) GetStatus(context.Context, *connect.Request[pb.GetStatusRequest]) (*connect.Response[pb.GetStatusResponse], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return answer(&pb.GetStatusResponse{Status: f.status})
}

func (f *fake) WatchHealth(_ context.Context, r *connect.Request[pb.WatchHealthRequest], s *connect.ServerStream[pb.WatchHealthResponse]) error {
	for {
		f.mu.Lock()
		ok, torn := f.healthy[0], f.torn
		f.torn = false
		if len(f.healthy) > 1 {
			f.healthy = f.healthy[1:]
		}
		f.mu.Unlock()
		node := &pb.HealthCheck{Name: "node", Ok: ok}
		if !ok {
			node.Message = "the node is not Ready"
		}
		if err := s.Send(&pb.WatchHealthResponse{Checks: []*pb.HealthCheck{{Name: "config", Ok: true}, node}}); err != nil || ok || torn || !r.Msg.UntilHealthy {
			return err
		}
	}
}

func (f *fake) GetConfig(_ context.Context, r *connect.Request[pb.GetConfigRequest]) (*connect.Response[pb.GetConfigResponse], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := f.config
	if r.Msg.Secrets {
		text = strings.ReplaceAll(text, "REDACTED", "hunter2")
	}
	return answer(&pb.GetConfigResponse{Config: []byte(text), Digest: "abc", Staged: []byte(f.staged)})
}

func (f *fake) ApplyConfig(_ context.Context, r *connect.Request[pb.ApplyConfigRequest]) (*connect.Response[pb.ApplyConfigResponse], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.apply = r.Msg; bytes.Contains(r.Msg.Config, []byte("invalid")) {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("config:3: machine.rolle: unknown field; did you mean \"role\"?"))
	}
	return answer(f.answer)
}

func (f *fake) PatchConfig(_ context.Context, r *connect.Request[pb.PatchConfigRequest]) (*connect.Response[pb.ApplyConfigResponse], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.patch = r.Msg
	return answer(f.answer)
}

func (f *fake) ConfirmConfig(context.Context, *connect.Request[pb.ConfirmConfigRequest]) (*connect.Response[pb.ConfirmConfigResponse], error) {
	return answer(&pb.ConfirmConfigResponse{})
}

func (f *fake) CancelConfig(context.Context, *connect.Request[pb.CancelConfigRequest]) (*connect.Response[pb.CancelConfigResponse], error) {
	return answer(&pb.CancelConfigResponse{Cancelled: "try"})
}

func (f *fake) ListServices(context.Context, *connect.Request[pb.ListServicesRequest]) (*connect.Response[pb.ListServicesResponse], error) {
	return answer(&pb.ListServicesResponse{Services: []*pb.Service{
		{Name: "kube", State: "running", Pid: 300, Since: at, Restarts: 1, Message: "kube-apiserver: address in use", MemoryBytes: 150 << 20},
		{Name: "machined", State: "running", Pid: 80, Since: at, MemoryBytes: 20 << 20},
	}})
}

func (f *fake) RestartService(context.Context, *connect.Request[pb.RestartServiceRequest]) (*connect.Response[pb.RestartServiceResponse], error) {
	return answer(&pb.RestartServiceResponse{})
}

func (f *fake) GetLogs(_ context.Context, r *connect.Request[pb.GetLogsRequest], s *connect.ServerStream[pb.GetLogsResponse]) error {
	f.mu.Lock()
	f.logs = r.Msg
	f.mu.Unlock()
	for _, text := range []string{"one\ntwo\n", "three\n"} {
		if err := s.Send(&pb.GetLogsResponse{Data: []byte(text)}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) GetEvents(_ context.Context, _ *connect.Request[pb.GetEventsRequest], s *connect.ServerStream[pb.GetEventsResponse]) error {
	for _, e := range []*pb.Event{
		{Time: at, Kind: "config", Severity: "info", Message: "a config was applied", By: "anna"},
		{Time: at, Kind: "condition", Severity: "warning", Message: "DATA is nearly full\x1b[31m"},
	} {
		if err := s.Send(&pb.GetEventsResponse{Event: e}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) ListProcesses(context.Context, *connect.Request[pb.ListProcessesRequest]) (*connect.Response[pb.ListProcessesResponse], error) {
	return answer(&pb.ListProcessesResponse{Processes: []*pb.Process{
		{Pid: 1, State: "S", Threads: 5, CpuTime: durationpb.New(time.Second), VirtualBytes: 1 << 30, ResidentBytes: 4 << 20, Command: "init", Args: "/usr/bin/init", Cgroup: "/init", Started: at},
		{Pid: 300, Ppid: 80, State: "S", Threads: 20, CpuTime: durationpb.New(80 * time.Second), ResidentBytes: 140 << 20, Command: "kube", Cgroup: "/podruntime", Started: at},
	}})
}

func (f *fake) GetMemory(context.Context, *connect.Request[pb.GetMemoryRequest]) (*connect.Response[pb.GetMemoryResponse], error) {
	return answer(&pb.GetMemoryResponse{
		Meminfo: map[string]uint64{"MemTotal": 512 << 20, "MemAvailable": 384 << 20, "HugePages_Total": 0, "Dirty": 4096},
		Cgroups: []*pb.CgroupMemory{{Path: "/podruntime", CurrentBytes: 150 << 20, AnonymousBytes: 100 << 20, FileBytes: 50 << 20, OomKills: 1}},
	})
}

func (f *fake) ListMounts(context.Context, *connect.Request[pb.ListMountsRequest]) (*connect.Response[pb.ListMountsResponse], error) {
	return answer(&pb.ListMountsResponse{Mounts: []*pb.Mount{
		{Source: "/dev/vda4", Target: "/var", Type: "ext4", Options: "rw,noatime", TotalBytes: 8 << 30, AvailableBytes: 6 << 30}, {Source: "proc", Target: "/proc", Type: "proc", Options: "rw"},
	}})
}

func (f *fake) ListDisks(context.Context, *connect.Request[pb.ListDisksRequest]) (*connect.Response[pb.ListDisksResponse], error) {
	return answer(&pb.ListDisksResponse{Disks: []*pb.Disk{{
		Name: "vda", Path: "/dev/vda", SizeBytes: 8 << 30, Transport: "virtio", Boot: true, Serial: "S1",
		Partitions: []*pb.Partition{{Name: "vda4", Label: "coracle-data", SizeBytes: 7 << 30, MountedAt: "/var"}},
	}}})
}

func (f *fake) GetNetwork(context.Context, *connect.Request[pb.GetNetworkRequest]) (*connect.Response[pb.GetNetworkResponse], error) {
	return answer(&pb.GetNetworkResponse{
		Interfaces: []*pb.Interface{{Name: "eth0", Kind: "device", Mac: "52:54:00:12:34:56", Driver: "virtio_net", Up: true, Carrier: true, Mtu: 1500,
			Addresses: []string{"192.0.2.7/24"}, ReceivedBytes: 1 << 20, SentBytes: 1 << 10, Lease: "192.0.2.1 until 08:00"}},
		Routes:      []*pb.Route{{Destination: "0.0.0.0/0", Gateway: "192.0.2.1", Interface: "eth0", Metric: 100, Protocol: "dhcp"}},
		Nameservers: []string{"192.0.2.1"}, Search: []string{"example.com"}, Hostname: "edge-1",
	})
}

func (f *fake) ListConnections(context.Context, *connect.Request[pb.ListConnectionsRequest]) (*connect.Response[pb.ListConnectionsResponse], error) {
	return answer(&pb.ListConnectionsResponse{Connections: []*pb.Connection{{Protocol: "tcp6", Local: "[::]:50000", Remote: "[::]:0", State: "LISTEN", Pid: 80, Command: "machined"}}})
}

func (f *fake) GetTime(context.Context, *connect.Request[pb.GetTimeRequest]) (*connect.Response[pb.GetTimeResponse], error) {
	return answer(&pb.GetTimeResponse{Now: timestamppb.New(time.Now().Add(time.Hour)), Status: &pb.TimeStatus{Problem: "no answer"}, Servers: []string{"192.0.2.1"}})
}

func (f *fake) GetKubeconfig(context.Context, *connect.Request[pb.GetKubeconfigRequest]) (*connect.Response[pb.GetKubeconfigResponse], error) {
	return answer(&pb.GetKubeconfigResponse{Endpoint: f.endpoint, Kubeconfig: []byte(`{apiVersion: v1, kind: Config, clusters: [{name: coracle, cluster: {server: "https://10.0.2.15:6443"}}],
users: [{name: admin, user: {token: x}}], contexts: [{name: coracle, context: {cluster: coracle, user: admin}}], current-context: coracle}`)})
}

func (f *fake) GetSupportBundle(_ context.Context, _ *connect.Request[pb.GetSupportBundleRequest], s *connect.ServerStream[pb.GetSupportBundleResponse]) error {
	for _, text := range []string{"bun", "dle"} {
		if err := s.Send(&pb.GetSupportBundleResponse{Data: []byte(text)}); err != nil {
			return err
		}
	}
	return nil
}

// Reboot is done at once.
func (f *fake) Reboot(context.Context, *connect.Request[pb.RebootRequest]) (*connect.Response[pb.RebootResponse], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = fakeStatus(f.status.Name)
	f.status.Started = timestamppb.Now()
	return answer(&pb.RebootResponse{})
}

func (f *fake) Shutdown(context.Context, *connect.Request[pb.ShutdownRequest]) (*connect.Response[pb.ShutdownResponse], error) {
	return answer(&pb.ShutdownResponse{})
}

func (f *fake) Reset(_ context.Context, r *connect.Request[pb.ResetRequest]) (*connect.Response[pb.ResetResponse], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Msg.Name != f.status.Name {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("the machine is called "+f.status.Name))
	}
	return answer(&pb.ResetResponse{})
}

// desk is an operator: a folder with a key and contexts, and an environment.
type desk struct {
	t    *testing.T
	home string
	env  map[string]string
	key  ed25519.PrivateKey
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, home: t.TempDir(), env: map[string]string{}}
	key, err := keys.LoadOrCreate(filepath.Join(d.home, "coracle", "key"))
	if err != nil {
		t.Fatal(err)
	}
	d.key = key
	t.Chdir(d.home)
	return d
}

// run runs coraclectl and returns what it wrote, and its exit code.
func (d *desk) run(args ...string) (stdout, stderr string, code int) {
	d.t.Helper()
	return d.feed("", args...)
}

func (d *desk) feed(stdin string, args ...string) (stdout, stderr string, code int) {
	d.t.Helper()
	var out, err bytes.Buffer
	code = Run(d.t.Context(), args, Environment{
		In: strings.NewReader(stdin), Out: &out, Err: &err, Getenv: func(name string) string { return d.env[name] },
		Home: d.home, ConfigDir: filepath.Join(d.home, "coracle"),
	})
	return out.String(), err.String(), code
}

// must runs coraclectl and returns its result; that it fails is an error.
func (d *desk) must(args ...string) string {
	d.t.Helper()
	out, err, code := d.run(args...)
	if code != 0 {
		d.t.Fatalf("coraclectl %s: exit code %d\n%s", strings.Join(args, " "), code, err)
	}
	return out
}

// know adds machines to the contexts file.
func (d *desk) know(machines map[string]*fake) {
	d.t.Helper()
	for name, f := range machines {
		d.must("contexts", "add", name, f.address, "--fingerprint", f.fingerprint)
	}
}

// file writes a file on the desk.
func (d *desk) file(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.home, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}
