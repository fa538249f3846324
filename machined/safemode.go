package main

import (
	"context"
	"fmt"
	"time"

	"github.com/coracle-os/coracle/machined/apply"
	"github.com/coracle-os/coracle/machined/boots"
	"github.com/coracle-os/coracle/machined/host"
	"github.com/coracle-os/coracle/machined/state"
)

// bootsPath is where it is kept how the last boots went.
const bootsPath = "/var/lib/coracle/boots.json"

// conditionSafeMode is one of kube, so that the check of its health fails with it.
const conditionSafeMode = "kube.safe-mode"

// countBoot counts this boot with the config in force, before kube is started, and says so when it is one in safe mode.
func (d *daemon) countBoot(context.Context) error {
	c := owned{d}.Current()
	if c.Text == nil || !d.dataReady {
		return nil
	}
	id, err := host.BootID()
	if err != nil {
		return err
	}
	history, safe, err := d.boots.Begin(boots.Start{
		ID: id, Config: apply.Digest(c.Text), After: c.Machine.SafeMode.After,
		Trial: d.boot.Trial, Watchdog: d.updater.Boot.WatchdogReset,
	})
	d.showSafeMode(safe, history)
	return err
}

// showSafeMode says why Kubernetes is not started, and what to do.
func (d *daemon) showSafeMode(safe bool, history boots.History) {
	d.store.Put(safe, state.Condition{
		ID: conditionSafeMode, Severity: state.Error,
		Message: "Safe mode, Kubernetes is not started: " + history.Reason(),
		Hint:    "check the power supply and the disk; then start it (coraclectl services restart kube), restart the machine (coraclectl reboot), or apply another config",
	})
}

// restartKube starts kube again, or for the first time in a machine that is in safe mode.
func (d *daemon) restartKube() error {
	if !d.boots.Safe() {
		return d.kube.Restart()
	}
	d.log.Warn("safe mode is left, as was asked over the API")
	if err := d.boots.Leave(); err != nil {
		d.log.Error("count of boots", "error", err)
	}
	d.showSafeMode(false, boots.History{})
	return d.startKube(d.ctx)
}

// lookAtBootEvery is how often the machine's health is looked at until it has been well for long enough.
const lookAtBootEvery = 10 * time.Second

// watchBoot finds out whether this boot gets healthy, by what a version on trial is judged by. That the node is Ready is not asked
// for: it takes more than this machine. It runs without the monitor: a disk that does not answer is no reason to restart the machine.
func (d *daemon) watchBoot() {
	tick := time.NewTicker(lookAtBootEvery)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-tick.C:
		}
		if !d.boots.Awaited() {
			continue
		}
		problem := ""
		if err := d.lookAtBoot(); err != nil {
			problem = err.Error()
		}
		if problem != said && problem != "" {
			d.log.Error("count of boots", "error", problem)
		}
		said = problem
	}
}

func (d *daemon) lookAtBoot() error {
	up, err := host.Uptime()
	if err != nil {
		return fmt.Errorf("how long the machine has been up: %w", err)
	}
	healthy, err := d.boots.Look(time.Now(), up, d.healthProblems(d.ctx, false))
	if healthy {
		d.log.Info("this boot is healthy")
	}
	return err
}
