package main

import (
	"context"
	"time"

	"github.com/coracle-os/coracle/machined/host"
	"github.com/coracle-os/coracle/machined/state"
	"github.com/coracle-os/coracle/machined/storage"
)

const (
	measureEvery = 10 * time.Second
	trimEvery    = 5 * time.Second
)

const conditionFull = "data.full"

// measure keeps what is counted up to date: memory, DATA, time since start.
func (d *daemon) measure(ctx context.Context, beat func()) {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		beat()
		d.measureOnce()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *daemon) measureOnce() {
	total, available, err := host.Memory()
	if err != nil {
		d.log.Info("measure memory", "error", err)
	}
	uptime, err := host.Uptime()
	if err != nil {
		d.log.Info("measure time", "error", err)
	}
	d.store.Update(func(m *state.Machine) {
		m.Memory = state.Memory{Total: total, Available: available}
		m.Started = time.Now().Add(-uptime).Round(time.Second)
	})
	if m, _ := d.store.Get(); m.Data.Ready {
		d.showSpace(storage.Usage(m.Data.Device))
	}
}

// showSpace puts how full DATA is into the state. What was known stays when that could not be found out.
func (d *daemon) showSpace(space storage.Space, err error) {
	if err != nil {
		d.log.Info("measure DATA", "error", err)
		return
	}
	problem := space.Problem()
	d.store.Put(problem != "", state.Condition{ID: conditionFull, Severity: state.Warning, Message: problem})
	d.store.Update(func(m *state.Machine) { m.Data.Total, m.Data.Used = space.Size, space.Size-space.Free })
}

// trimLog keeps the log of kube small.
func (d *daemon) trimLog(ctx context.Context, beat func()) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		beat()
		if err := kubeProgram.Log.Trim(); err != nil {
			d.log.Info("log of kube", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
