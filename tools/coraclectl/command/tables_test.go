package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden compares a result with the file of that name in testdata; -update writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(testdata, name)
	if *update {
		if err := os.MkdirAll(testdata, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("not as in %s (go test -update writes it); got:\n%s\nwant:\n%s", path, got, want)
	}
}

// testdata is where it is, as tests change their folder.
var testdata = func() string {
	path, err := filepath.Abs("testdata")
	if err != nil {
		panic(err)
	}
	return path
}()

func TestTables(t *testing.T) {
	d := newDesk(t)
	one, two := newFake(t, "edge-1"), newFake(t, "edge-2")
	d.know(map[string]*fake{"edge-1": one, "edge-2": two})
	for name, args := range map[string]string{
		"status":      "status",
		"health":      "health",
		"services":    "services",
		"ps":          "ps",
		"ps-wide":     "ps --sort pid -o wide",
		"memory":      "memory",
		"memory-wide": "memory -o wide",
		"mounts":      "mounts -o wide",
		"disks":       "disks",
		"net":         "net",
		"connections": "net --connections",
		"events":      "events",
		"disks.json":  "disks -o json",
		"disks.yaml":  "disks -o yaml",
		"health.json": "health -o json",
		"events.yaml": "events -o yaml",
	} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			golden(t, name, d.must(append([]string{"-n", "edge-1"}, strings.Fields(args)...)...))
		})
	}
	for name, args := range map[string]string{
		"several-status": "status", "several-net": "net", "several-health.json": "health -o json", "several-logs": "logs kube",
	} {
		t.Run(name, func(t *testing.T) {
			d.t = t
			got := d.must(append([]string{"-n", "edge-2,edge-1"}, strings.Fields(args)...)...)
			if name == "several-logs" { // the order of machines is chance
				if strings.Count(got, "[edge-1] ") != 3 || strings.Count(got, "[edge-2] three\n") != 1 {
					t.Errorf("got:\n%s", got)
				}
				return
			}
			golden(t, name, got)
		})
	}
}

func TestTime(t *testing.T) {
	d := newDesk(t)
	d.know(map[string]*fake{"edge-1": newFake(t, "edge-1")})
	got := d.must("time")
	if !strings.Contains(got, "not synced: no answer") || !strings.Contains(got, "+3") {
		t.Errorf("got:\n%s", got)
	}
}

func TestEventsFollowed(t *testing.T) {
	d := newDesk(t)
	d.know(map[string]*fake{"edge-1": newFake(t, "edge-1")})
	lines := strings.Split(strings.TrimSpace(d.must("events", "-f", "-o", "json")), "\n")
	var first struct {
		Machine string
		Event   struct{ Message, By string }
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != 2 || first.Machine != "edge-1" || first.Event.By != "anna" {
		t.Errorf("%v, %+v of %q", err, first, lines)
	}
	want := "2026-11-26 07:30:00Z info config: a config was applied (by anna)\n2026-11-26 07:30:00Z warning condition: DATA is nearly full[31m\n"
	if got := d.must("events", "-f"); got != want {
		t.Errorf("got:\n%s", got)
	}
}

func TestLogs(t *testing.T) {
	d := newDesk(t)
	f := newFake(t, "edge-1")
	d.know(map[string]*fake{"edge-1": f})
	if got := d.must("logs", "default/web-0/nginx", "--previous", "--tail", "5", "--since", "2026-11-26T07:30:00Z"); got != "one\ntwo\nthree\n" {
		t.Errorf("got %q", got)
	}
	if r := f.logs; r.Service != "" || r.Container != "default/web-0/nginx" || !r.Previous || r.TailLines != 5 || !r.Since.AsTime().Equal(at.AsTime()) {
		t.Errorf("asked for %v", r)
	}
	d.must("dmesg", "-f")
	if r := f.logs; r.Service != "kernel" || !r.Follow {
		t.Errorf("asked for %v", r)
	}
	for _, args := range []string{"logs kube --previous", "logs a//b", "logs a/b/c/d", "logs", "logs kube --since yesterday", "logs kube --tail -1"} {
		if _, stderr, code := d.run(strings.Fields(args)...); code != exitUsage {
			t.Errorf("%s: exit code %d\n%s", args, code, stderr)
		}
	}
}
