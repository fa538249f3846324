package server

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/controlplane"
	"github.com/coracle-os/coracle/kube/exit"
	"github.com/coracle-os/coracle/kube/status"
)

// settleDelay is how long after the first moment of a ready node the start is over for the memory collector: by then the
// add-ons' pods run too.
const settleDelay = 20 * time.Second

// warmMemory is the size of a machine, in bytes, on which a few MiB of garbage are worth a second of the start.
const warmMemory = 900 * mebibyte

// startLimit is when a start is over in any case.
const startLimit = 5 * time.Minute

// Main is the command "kube server". It does not return.
func Main(args []string) {
	flags := flag.NewFlagSet("kube server", flag.ExitOnError)
	path := flags.String("settings", control.SettingsPath, "file that machined has written")
	wait := flags.Bool("wait", false, "read standard input to its end before anything else: the settings are written by then")
	_ = flags.Parse(args) // it exits on errors

	asked := requests()
	exit.Hook()
	if *wait {
		_, _ = io.Copy(io.Discard, os.Stdin) // an error is an end too
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	settings, err := LoadSettings(*path)
	if err != nil {
		exit.With(exit.InvalidSettings, err.Error())
	}
	if err := setProxy(settings); err != nil {
		exit.With(exit.InvalidSettings, err.Error())
	}
	memory := settings.MemoryBytes
	if memory == 0 {
		if memory, err = machineMemory(); err != nil {
			exit.With(exit.Failed, err.Error())
		}
	}
	gc := collectorFor(memory)
	gc.apply()
	if runtime.NumCPU() > 1 && memory >= warmMemory {
		go controlplane.Warm()
	}

	paths := MachinePaths()
	paths.Containerd.Registries = settings.Registries
	s, err := New(settings, paths)
	if err != nil {
		exit.With(exit.Failed, err.Error())
	}
	ctx := context.Background()
	go s.settleWhenReady(ctx, gc)
	if err := s.Run(ctx, s.Components(), asked); err != nil {
		exit.With(exit.Failed, err.Error())
	}
	os.Exit(exit.Asked)
}

// requests delivers what signals ask for; docs/architecture.md has the contract.
func requests() <-chan Request {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGPWR)
	requests := make(chan Request, 1)
	go func() {
		stopping := false
		for s := range signals {
			slog.Info("asked to stop", "signal", s)
			request := Stop
			if s == syscall.SIGPWR {
				request = PowerOff
			}
			switch {
			case !stopping:
				requests <- request
				stopping = true
			case request == Stop:
				exit.With(exit.Asked, "asked again to stop, ended at once")
			}
		}
	}()
	return requests
}

// settleWhenReady settles the collector. A node that does not become Ready, because its CNI is still to be installed, has
// started all the same.
func (s *Server) settleWhenReady(ctx context.Context, gc collector) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	_ = s.cluster.WaitForNode(ctx, status.IsReady)
	time.Sleep(settleDelay)
	gc.settle()
}
