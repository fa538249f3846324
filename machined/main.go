// Machined is the machine daemon: it brings the machine from the mounted root to a running Kubernetes, keeps it there,
// and says how it is doing, on the console and over the machine API.
//
// It is started by init, which restarts it when it ends. A restart does no harm to Kubernetes: see package
// machined/services. The phases of a start are in phases.go; docs/architecture.md has the contracts with init and kube.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/machined/logs"
	"github.com/coracle-os/coracle/machined/sequence"
)

// What the collector is told: the heap is a few MiB, and memory is dear on a small machine.
const (
	gcPercent   = 50
	memoryLimit = 32 << 20 // bytes, soft
)

func main() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
	kmsg.Milestone(logs.Component, "machined", "")

	// init asks for a shutdown with SIGTERM. kube gets its own signals: it is in a session of its own.
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM, syscall.SIGINT)
	// Nobody reads these. They are not ignored, as kube and all pods would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGPIPE)

	syscall.CloseOnExec(control.FD) // the line to init is not for children
	ctx, stop := context.WithCancel(context.Background())
	d := newDaemon(ctx, os.NewFile(control.FD, "init"))
	d.startLoops()
	go func() {
		if err := sequence.Run(ctx, d, phases, d.reportPhase); err != nil {
			panic(err) // the list is wrong, which the tests find
		}
		d.loops.Go(d.watchTrial)
		d.loops.Go(d.keepBootFiles)
		d.loops.Go(d.watchBoot)
		d.loops.Go(d.runInstaller)
		d.loop("schedule of upgrades", 10*time.Minute, d.runSchedule)
		d.awaitConfig()
	}()
	<-terminate
	d.shutDown()
	stop()
	d.wait()
}

// reportPhase writes down how a phase of the start ended. What is wrong in a way that a person can do something about
// is a condition too, which the phase sets.
func (d *daemon) reportPhase(r sequence.Result) {
	if _, shown := errors.AsType[said](r.Err); r.Err != nil && !shown {
		d.log.Error(fmt.Sprintf("%s: %v", r.Name, r.Err))
		return
	}
	d.log.Info("phase "+r.Name, "took", r.Took.Round(1e6))
}
