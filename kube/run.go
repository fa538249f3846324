package main

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"os"
	"runtime"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/coracle-os/coracle/kube/agent"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/controlplane"
	"github.com/coracle-os/coracle/kube/exit"
	"github.com/coracle-os/coracle/kube/process"
	"github.com/coracle-os/coracle/kube/server"
	"github.com/coracle-os/coracle/kube/status"
	"github.com/coracle-os/coracle/kube/worker"
)

// warmMemory is the size of a machine, in bytes, on which a few MiB of garbage are worth a second of the start.
const warmMemory = 900 * process.Mebibyte

// startLimit is when a start is over in any case.
const startLimit = 5 * time.Minute

// machine is a server or an agent.
type machine interface {
	Run(ctx context.Context, requests <-chan process.Request) error
	WaitForNode(ctx context.Context, condition func(*corev1.Node) bool) error
}

// run is the command "kube run". It does not return. What the machine is to be is in its settings, and not in the command: machined
// starts it before it has read its config.
func run(args []string) {
	flags := flag.NewFlagSet("kube run", flag.ExitOnError)
	path := flags.String("settings", control.SettingsPath, "file that machined has written")
	wait := flags.Bool("wait", false, "read standard input to its end before anything else: the settings are written by then")
	_ = flags.Parse(args) // it exits on errors

	asked := process.Requests()
	exit.Hook()
	if *wait {
		_, _ = io.Copy(io.Discard, os.Stdin) // an error is an end too
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	settings, err := process.LoadSettings(*path)
	if err != nil {
		exit.With(exit.InvalidSettings, err.Error())
	}
	memory := settings.MemoryBytes
	if memory == 0 {
		if memory, err = process.MachineMemory(); err != nil {
			exit.With(exit.Failed, err.Error())
		}
	}
	gc := process.CollectorFor(memory)
	gc.Apply()
	m, err := newMachine(settings, memory)
	if err != nil {
		exit.With(exit.Failed, err.Error())
	}
	ctx := context.Background()
	go tendMemory(ctx, m, gc)
	if err := m.Run(ctx, asked); err != nil {
		exit.With(exit.Failed, err.Error())
	}
	os.Exit(exit.Asked)
}

func newMachine(settings control.Settings, memory int64) (machine, error) {
	paths := worker.MachinePaths()
	paths.Containerd.Registries = settings.Registries
	if settings.Role == control.Agent {
		return agent.New(settings, paths)
	}
	if err := process.SetProxy(settings); err != nil {
		return nil, err
	}
	if runtime.NumCPU() > 1 && memory >= warmMemory {
		go controlplane.Warm()
	}
	return server.New(settings, server.Paths{Paths: paths})
}

// tendMemory tends the memory collector once the start is over. A node that does not become Ready, because its CNI is still to be installed, has
// started all the same.
func tendMemory(ctx context.Context, m machine, gc process.Collector) {
	limited, cancel := context.WithTimeout(ctx, startLimit)
	_ = m.WaitForNode(limited, status.IsReady)
	cancel()
	gc.Tend(ctx)
}
