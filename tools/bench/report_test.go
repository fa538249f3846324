package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// keys lists the paths of all values in a JSON document.
func keys(prefix string, v any) []string {
	m, ok := v.(map[string]any)
	if !ok {
		return []string{prefix}
	}
	var out []string
	for k, v := range m {
		out = append(out, keys(strings.TrimPrefix(prefix+"."+k, "."), v)...)
	}
	slices.Sort(out)
	return out
}

func TestReportKeys(t *testing.T) {
	r := report{Memory: memory{Processes: map[string]float64{"NAME": 1}}, Bytes: sizes{Binaries: map[string]int64{"NAME": 1}}}
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"arch",
		"baseline.idle_write_bytes_per_s", "baseline.memory_mib", "baseline.pod_running",
		"bytes.binaries.NAME", "bytes.image_zst", "bytes.root",
		"idle_write_bytes_per_s",
		"memory_mib.processes.NAME", "memory_mib.used_2048", "memory_mib.used_512",
		"seconds.apiserver_ready", "seconds.kernel", "seconds.machined", "seconds.node_ready", "seconds.pod_running",
	}
	if got := keys("", doc); !slices.Equal(got, want) {
		t.Errorf("keys are\n%q, want\n%q", got, want)
	}
	again, err := readReport(path)
	if err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("read back %+v, %v", again, err)
	}
	if none, err := readReport(path + ".none"); err != nil || !reflect.DeepEqual(none, report{}) {
		t.Errorf("a report that is not there: %+v, %v", none, err)
	}
}

func TestMarkdown(t *testing.T) {
	r := report{
		Arch: "amd64", Seconds: seconds{PodRunning: 50}, Baseline: baseline{PodRunning: 100},
		Memory: memory{Used512: 200, Processes: map[string]float64{"init": 4, "kube": 170}},
		Bytes:  sizes{ImageZst: 98_700_000, Binaries: map[string]int64{"kube": 200_000_000}},
	}
	arm := report{Arch: "arm64", Seconds: seconds{PodRunning: 60}, Memory: memory{Processes: map[string]float64{"kube": 180, "shim": 9}}}
	if alone := markdown(arm); !strings.HasPrefix(alone, "|  | arm64 |\n|---|---|\n") {
		t.Errorf("there was no baseline:\n%s", alone)
	}
	got := markdown(r, arm)
	for _, want := range []string{
		"|  | amd64 | arm64 | amd64, baseline |\n|---|---|---|---|\n",
		"| → pod Running | 50.0 s (0.50 ×) | 60.0 s | 100.0 s |",
		"| memory used, 512 MiB machine | 200.0 MiB |  |  |",
		"| disk writes at idle |  |  |  |",
		"| compressed image | 98.7 MB |  |  |",
		"| anonymous memory, 512 MiB machine | amd64 | arm64 |\n|---|---|---|\n",
		"| kube | 170.0 MiB | 180.0 MiB |\n| shim |  | 9.0 MiB |\n| init | 4.0 MiB |  |\n",
		"| kube | 200.0 MB |  |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
}

func TestMedian(t *testing.T) {
	times := []seconds{{PodRunning: 9}, {PodRunning: 2}, {PodRunning: 3}}
	if got := median(times, func(s seconds) float64 { return s.PodRunning }); got != 3 {
		t.Errorf("median %v, want 3", got)
	}
}
