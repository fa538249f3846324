package main

import (
	"context"
	"fmt"
	"io"

	"github.com/coracle-os/coracle/tools/vm/console"
)

// showProgress prints a line for each milestone, and the notices between them, until the machine's console ends or ctx.
func showProgress(ctx context.Context, out io.Writer, log *console.Log) {
	for n := 0; ; n++ {
		line, err := log.Line(ctx, n)
		if err != nil {
			return
		}
		if text := progressLine(line); text != "" {
			fmt.Fprintln(out, text)
		}
	}
}

// meanings of the milestones (docs/architecture.md) for who sees them for the first time.
var meanings = map[string]string{
	"kernel":     "the kernel runs",
	"root":       "the root file system is verified and mounted",
	"machined":   "the machine daemon runs",
	"config":     "the machine config is read",
	"data":       "the DATA partition is mounted",
	"network":    "the network is up",
	"time":       "the clock is set",
	"kube":       "Kubernetes starts",
	"api-ready":  "the Kubernetes API answers",
	"node-ready": "the node is Ready",
}

// progressLine is what a person sees of a console line: nothing, for most.
func progressLine(line console.Line) string {
	seconds := line.Seen.Seconds()
	if m, ok := line.Milestone(); ok {
		text := fmt.Sprintf("%7.1f s  %-10s  %s", seconds, m.Name, meanings[m.Name])
		if m.Detail != "" {
			text += " (" + m.Detail + ")"
		}
		return text
	}
	if notice, ok := line.Notice(); ok {
		return fmt.Sprintf("%7.1f s    %s", seconds, notice)
	}
	return ""
}
