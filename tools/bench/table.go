package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// markdown is the report as tables for docs/benchmarks.md.
func (r report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | Coracle | baseline |\n|---|---|---|\n", r.Arch)
	for _, row := range []struct {
		what              string
		coracle, baseline string
	}{
		{"power-on → kernel", inSeconds(r.Seconds.Kernel), ""},
		{"→ machined", inSeconds(r.Seconds.Machined), ""},
		{"→ apiserver ready", inSeconds(r.Seconds.APIServerReady), ""},
		{"→ node Ready", inSeconds(r.Seconds.NodeReady), ""},
		{"→ pod Running", inSeconds(r.Seconds.PodRunning) + ratio(r.Seconds.PodRunning, r.Baseline.PodRunning), inSeconds(r.Baseline.PodRunning)},
		{"memory used, 2 GiB machine", inMiB(r.Memory.Used2048), inMiB(r.Baseline.Memory)},
		{"memory used, 512 MiB machine", inMiB(r.Memory.Used512), ""},
		{"disk writes at idle", inBytesPerSecond(r.IdleWrite), inBytesPerSecond(r.Baseline.IdleWrite)},
		{"compressed image", inMB(r.Bytes.ImageZst), ""},
		{"root file system", inMB(r.Bytes.Root), ""},
	} {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row.what, row.coracle, row.baseline)
	}

	b.WriteString("\n| process | anonymous memory, 512 MiB machine |\n|---|---|\n")
	names := slices.SortedFunc(maps.Keys(r.Memory.Processes), func(x, y string) int {
		if more := r.Memory.Processes[y] - r.Memory.Processes[x]; more != 0 {
			return cmp.Compare(more, 0)
		}
		return strings.Compare(x, y)
	})
	for _, name := range names {
		fmt.Fprintf(&b, "| %s | %s |\n", name, inMiB(r.Memory.Processes[name]))
	}

	b.WriteString("\n| program | size |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(r.Bytes.Binaries)) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, inMB(r.Bytes.Binaries[name]))
	}
	return b.String()
}

// A zero was not measured.
func ifMeasured[T int64 | float64](format string, n T) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, n)
}

func inSeconds(s float64) string        { return ifMeasured("%.1f s", s) }
func inMiB(m float64) string            { return ifMeasured("%.1f MiB", m) }
func inBytesPerSecond(n float64) string { return ifMeasured("%.0f B/s", n) }
func inMB(n int64) string               { return ifMeasured("%.1f MB", float64(n)/1e6) }

func ratio(n, of float64) string {
	if n == 0 || of == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.2f ×)", n/of)
}
