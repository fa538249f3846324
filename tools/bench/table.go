package main

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// markdown is the reports of several architectures beside each other, as tables for docs/benchmarks.md; and the first one's baseline, if
// it was measured.
func markdown(reports ...report) string {
	var b strings.Builder
	first := reports[0]
	row := func(what string, value func(report) string, last ...string) {
		cells := []string{what}
		for _, r := range reports {
			cells = append(cells, value(r))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(append(cells, last...), " | "))
	}
	head := func(what string, last ...string) {
		row(what, func(r report) string { return r.Arch }, last...)
		b.WriteString(strings.Repeat("|---", 1+len(reports)+len(last)) + "|\n")
	}

	withBaseline := func(cell string) []string {
		if first.Baseline == (baseline{}) {
			return nil
		}
		return []string{cell}
	}
	head("", withBaseline(first.Arch+", baseline")...)
	for _, line := range []struct {
		what     string
		value    func(report) string
		baseline string
	}{
		{"power-on → kernel", func(r report) string { return inSeconds(r.Seconds.Kernel) }, ""},
		{"→ machined", func(r report) string { return inSeconds(r.Seconds.Machined) }, ""},
		{"→ apiserver ready", func(r report) string { return inSeconds(r.Seconds.APIServerReady) }, ""},
		{"→ node Ready", func(r report) string { return inSeconds(r.Seconds.NodeReady) }, ""},
		{"→ pod Running", func(r report) string {
			return inSeconds(r.Seconds.PodRunning) + ratio(r.Seconds.PodRunning, r.Baseline.PodRunning)
		}, inSeconds(first.Baseline.PodRunning)},
		{"memory used, 2 GiB machine", func(r report) string { return inMiB(r.Memory.Used2048) }, inMiB(first.Baseline.Memory)},
		{"memory used, 512 MiB machine", func(r report) string { return inMiB(r.Memory.Used512) }, ""},
		{"disk writes at idle", func(r report) string { return inBytesPerSecond(r.IdleWrite) }, inBytesPerSecond(first.Baseline.IdleWrite)},
		{"compressed image", func(r report) string { return inMB(r.Bytes.ImageZst) }, ""},
		{"root file system", func(r report) string { return inMB(r.Bytes.Root) }, ""},
	} {
		row(line.what, line.value, withBaseline(line.baseline)...)
	}

	b.WriteByte('\n')
	head("anonymous memory, 512 MiB machine")
	memory := func(name string) float64 {
		var most float64
		for _, r := range reports {
			most = max(most, r.Memory.Processes[name])
		}
		return most
	}
	processes := names(reports, func(r report) iter.Seq[string] { return maps.Keys(r.Memory.Processes) })
	slices.SortStableFunc(processes, func(x, y string) int { return cmp.Compare(memory(y), memory(x)) })
	for _, name := range processes {
		row(name, func(r report) string { return inMiB(r.Memory.Processes[name]) })
	}

	b.WriteByte('\n')
	head("size of the program")
	for _, name := range names(reports, func(r report) iter.Seq[string] { return maps.Keys(r.Bytes.Binaries) }) {
		row(name, func(r report) string { return inMB(r.Bytes.Binaries[name]) })
	}
	return b.String()
}

// names are those that any of the reports has, sorted.
func names(reports []report, of func(report) iter.Seq[string]) []string {
	var all []string
	for _, r := range reports {
		all = slices.AppendSeq(all, of(r))
	}
	slices.Sort(all)
	return slices.Compact(all)
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
