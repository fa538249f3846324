package dashboard

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/machined/api/machinepb/machinepbconnect"
)

var update = flag.Bool("update", false, "write golden files")

var now = time.Date(2026, 11, 26, 7, 30, 0, 0, time.UTC)

func status(name, phase string, memory, data uint64) *pb.Status {
	return &pb.Status{
		Name: name, Role: "server", Version: "0.2.0", Kubernetes: "v1.37.2", Arch: "amd64", Slot: "a", Config: &pb.ConfigStatus{Source: "DATA"},
		Started: timestamppb.New(now.Add(-76 * time.Hour)), Addresses: []*pb.Address{{Interface: "eth0", Prefix: "192.0.2.7/24"}},
		Memory: &pb.MemoryStatus{TotalBytes: 100 << 20, AvailableBytes: (100 - memory) << 20}, Data: &pb.DataStatus{TotalBytes: 100, UsedBytes: data},
		Kube: &pb.KubeStatus{Phase: phase, PodsRunning: 2, PodsTotal: 3, Components: []*pb.Component{
			{Name: "kube-apiserver", State: "ready"}, {Name: "kubelet", State: "failed", Error: "no cgroup"}}},
	}
}

// testModel is a model of machines on a screen of 100 by 20.
func testModel(t *testing.T) *model {
	t.Helper()
	var machines []Machine
	for i := range 4 {
		machines = append(machines, Machine{Name: fmt.Sprintf("edge-%d", i+1), Address: fmt.Sprintf("192.0.2.%d", i+1), Client: silent{}})
	}
	m := newModel(t.Context(), machines, false)
	m.now = now
	send(m, tea.WindowSizeMsg{Width: 100, Height: 20})
	return m
}

// silent is a machine whose log never ends and has nothing in it.
type silent struct {
	machinepbconnect.MachineServiceClient
}

func (silent) GetLogs(ctx context.Context, _ *connect.Request[pb.GetLogsRequest]) (*connect.ServerStreamForClient[pb.GetLogsResponse], error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func send(m *model, messages ...tea.Msg) {
	for _, message := range messages {
		m.Update(message)
	}
}

func press(m *model, keys ...string) {
	codes := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown}
	for _, key := range keys {
		if code, ok := codes[key]; ok {
			send(m, tea.KeyPressMsg{Code: code})
		} else {
			send(m, tea.KeyPressMsg{Code: rune(key[0]), Text: key})
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	got = strings.ReplaceAll(got, "\n", "|\n") + "|\n" // ends of lines are seen
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("not as in %s (%v); got:\n%s", path, err, got)
	}
}

func fill(m *model) {
	bad := status("edge-2", "starting", 95, 80)
	bad.Conditions = []*pb.Condition{
		{Severity: "error", Message: "DATA is nearly full\x1b[2J", Hint: "delete images", Since: timestamppb.New(now.Add(-time.Minute))}, {Severity: "info", Message: "not shown"}}
	send(m, statusMsg{0, status("edge-1", "ready", 50, 10), nil}, statusMsg{1, bad, nil},
		statusMsg{2, status("edge-3", "ready", 10, 10), nil}, statusMsg{2, nil, errors.New("connection refused")})
}

func TestScreens(t *testing.T) {
	for name, do := range map[string]func(*model){
		"empty":    func(*model) {},
		"machines": fill,
		"chosen":   func(m *model) { fill(m); press(m, "down", "j", "up") },
		"opened": func(m *model) {
			fill(m)
			press(m, "down", "enter")
			send(m, linesMsg{m.log, []string{"one\n", "two \x1b[31mred\n"}, nil, nil})
		},
		"log has ended": func(m *model) {
			fill(m)
			press(m, "enter", "l")
			send(m, linesMsg{m.log, []string{"one\n"}, nil, nil}, linesMsg{m.log, nil, errors.New("not allowed"), nil})
		},
		"small": func(m *model) { fill(m); send(m, tea.WindowSizeMsg{Width: 30, Height: 7}); press(m, "up") },
	} {
		t.Run(name, func(t *testing.T) {
			m := testModel(t)
			do(m)
			screen := m.draw()
			golden(t, strings.ReplaceAll(name, " ", "-"), screen)
			if strings.Contains(screen, "\x1b") {
				t.Errorf("a machine controls the terminal: %q", screen)
			}
			for line := range strings.Lines(screen) {
				if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > m.width {
					t.Errorf("a line has %d of %d columns: %q", w, m.width, line)
				}
			}
			if n := strings.Count(screen, "\n") + 1; n > m.height {
				t.Errorf("%d lines of %d", n, m.height)
			}
		})
	}
}

func TestColors(t *testing.T) {
	m := testModel(t)
	m.color = true
	fill(m)
	if screen := m.draw(); !strings.Contains(screen, "\x1b[32m") || !strings.Contains(screen, "\x1b[31m") {
		t.Errorf("no colours in %q", screen)
	}
}

func TestLogsOfOthersAreDropped(t *testing.T) {
	m := testModel(t)
	press(m, "enter")
	old := m.log
	press(m, "l")
	send(m, linesMsg{old, []string{"late\n"}, nil, nil})
	if m.log.service != "machined" || len(m.log.lines) > 0 {
		t.Errorf("the log of %s has %q", m.log.service, m.log.lines)
	}
	press(m, "down")
	if m.selected != 1 || m.log.service != "machined" {
		t.Errorf("machine %d, log of %s", m.selected, m.log.service)
	}
	press(m, "esc")
	if m.log != nil || m.detail {
		t.Error("still open")
	}
	press(m, "enter")
	for range maxLines + 1 {
		send(m, linesMsg{m.log, []string{"x\n"}, nil, nil})
	}
	if len(m.log.lines) != maxLines {
		t.Errorf("%d lines are kept", len(m.log.lines))
	}
}

// refused is a machine that does not answer.
type refused struct {
	machinepbconnect.MachineServiceClient
}

func (refused) WatchStatus(context.Context, *connect.Request[pb.WatchStatusRequest]) (*connect.ServerStreamForClient[pb.WatchStatusResponse], error) {
	return nil, connect.NewError(connect.CodeUnavailable, errors.New("connection refused"))
}

// TestRun runs it with a key press for its input, until that ends it.
func TestRun(t *testing.T) {
	in, press := io.Pipe()
	go press.Write([]byte("q"))
	err := Run(t.Context(), []Machine{{Name: "edge-1", Client: refused{}}}, false, tea.WithInput(in), tea.WithOutput(io.Discard), tea.WithoutSignals())
	if err != nil {
		t.Error(err)
	}
}
