package main

import (
	"time"

	"github.com/coracle-os/coracle/machined/state"
)

// shutDown stops Kubernetes because the machine goes down.
func (d *daemon) shutDown() {
	d.store.Update(func(m *state.Machine) {
		if m.ShuttingDown == "" {
			m.ShuttingDown = "asked by init"
		}
	})
	d.log.Warn("the machine goes down: pods are stopped first")
	if err := d.boots.Ended(); err != nil {
		d.log.Error("count of boots", "error", err)
	}
	d.kube.Shutdown()
	m, _ := d.store.Get()
	if err := d.updater.BeforeRestart(m.ShuttingDown); err != nil {
		d.log.Error("upgrade", "error", err)
	}
}

// lastWait is how long loops may take to end. What blocks, such as a serial line that nobody reads, must not keep the
// machine from going down.
const lastWait = 3 * time.Second

// wait waits for the loops to end.
func (d *daemon) wait() {
	ended := make(chan struct{})
	go func() {
		d.loops.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(lastWait):
		d.log.Info("not all parts of machined ended in time")
	}
}
