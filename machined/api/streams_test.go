package api_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/state"
)

func TestLogs(t *testing.T) {
	m := start(t)
	c := m.client(t, m.allow(t)[types.Operator])
	dir := filepath.Join(m.pods, "default_web_uid", "nginx")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "0.log"), []byte("2026-01-02T03:04:05Z stdout F old\n2026-01-02T03:04:06Z stdout P a \n2026-01-02T03:04:06Z stderr F b\n"), 0o644)
	between := time.Date(time.Now().UTC().Year(), 1, 2, 15, 30, 0, 0, time.UTC) // two lines of the log of kube, which have no year
	if between.After(time.Now().Add(24 * time.Hour)) {
		between = between.AddDate(-1, 0, 0)
	}
	for name, tc := range map[string]struct {
		request *machinepb.GetLogsRequest
		want    string // or what the error says
	}{
		"all":             {&machinepb.GetLogsRequest{Service: "kube"}, kubeLog},
		"tail":            {&machinepb.GetLogsRequest{Service: "kube", TailLines: 1}, "three\n"},
		"since":           {&machinepb.GetLogsRequest{Service: "kube", Since: timestamppb.New(between)}, "I0102 16:04:05.000000 1 a.go:1] two\nthree\n"},
		"hidden password": {&machinepb.GetLogsRequest{Service: "kernel"}, "[    0.1] args: coracle.config=(not shown) quiet\n"},
		"container":       {&machinepb.GetLogsRequest{Container: "default/web"}, "old\na b\n"},
		"container since": {&machinepb.GetLogsRequest{Container: "default/web/nginx", Since: timestamppb.New(time.Date(2026, 1, 2, 3, 4, 6, 0, time.UTC))}, "a b\n"},
		"previous":        {&machinepb.GetLogsRequest{Container: "default/web", Previous: true}, "not_found"},
		"no container":    {&machinepb.GetLogsRequest{Container: "default/db"}, "not_found"},
		"a path":          {&machinepb.GetLogsRequest{Container: "../../etc"}, "invalid_argument"},
		"both":            {&machinepb.GetLogsRequest{Container: "default/web", Service: "kube"}, "invalid_argument"},
		"neither":         {&machinepb.GetLogsRequest{}, "invalid_argument"},
		"negative":        {&machinepb.GetLogsRequest{Service: "kube", TailLines: -1}, "invalid_argument"},
	} {
		t.Run(name, func(t *testing.T) {
			stream, err := c.GetLogs(t.Context(), connect.NewRequest(tc.request))
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			got, err := receive(stream, (*machinepb.GetLogsResponse).GetData, 1<<20)
			if err != nil {
				got = code(err)
			}
			if got != tc.want {
				t.Errorf("%q, want %q (%v)", got, tc.want, err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := c.GetLogs(ctx, connect.NewRequest(&machinepb.GetLogsRequest{Service: "kube", Follow: true, TailLines: 1}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for _, want := range []string{"three\n", "four\n", "five\n"} {
		if got, err := receive(stream, (*machinepb.GetLogsResponse).GetData, len(want)); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
		m.logs <- map[string]string{"three\n": "four\n", "four\n": "five\n"}[want]
	}
}

func TestWatch(t *testing.T) {
	m := start(t)
	c := m.client(t, m.allow(t)[types.Reader])
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	status, err := c.WatchStatus(ctx, connect.NewRequest(&machinepb.WatchStatusRequest{}))
	if err != nil || !status.Receive() || status.Msg().Status.Role != "" {
		t.Fatalf("%v, %v", status.Msg(), err)
	}
	health, err := c.WatchHealth(ctx, connect.NewRequest(&machinepb.WatchHealthRequest{UntilHealthy: true}))
	if err != nil || !health.Receive() || len(health.Msg().Checks) != 6 {
		t.Fatalf("%v, %v", health.Msg(), err)
	}
	m.store.Update(func(s *state.Machine) { *s = healthy() })
	if !status.Receive() || status.Msg().Status.Role != "server" {
		t.Errorf("%v, %v", status.Msg(), status.Err())
	}
	changed := 0
	for health.Receive() {
		changed += len(health.Msg().Checks)
	}
	if err := health.Err(); err != nil || changed != 6 {
		t.Errorf("%d checks changed, %v", changed, err)
	}
	cancel()
	for status.Receive() {
	}
}

// TestBundleHasNoSecrets looks for the secrets that this test's machine has.
func TestBundleHasNoSecrets(t *testing.T) {
	m := start(t)
	c := m.client(t, m.allow(t)[types.Operator])
	stream, err := c.GetSupportBundle(t.Context(), connect.NewRequest(&machinepb.GetSupportBundleRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	data, err := receive(stream, (*machinepb.GetSupportBundleResponse).GetData, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(unzipped); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		_, name, _ := strings.Cut(h.Name, "/")
		files[name] = string(text)
		if bytes.Contains(text, []byte("secret")) || bytes.Contains(text, []byte("hidden")) {
			t.Errorf("%s has a secret: %s", name, text)
		}
	}
	for name, want := range map[string]string{
		"status.json": `"pi"`, "config.yaml": "REDACTED", "release.json": "0.1.0", "logs/kube.log": "three", "logs/kernel.log": "(not shown)",
		"processes.json": "init", "logs/machined.log.error": "there is no such log",
	} {
		if !strings.Contains(files[name], want) {
			t.Errorf("%s: %q lacks %q", name, files[name], want)
		}
	}
}
