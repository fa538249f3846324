package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/machined/api"
	"github.com/coracle-os/coracle/machined/api/wire"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/machined/logs"
	"github.com/coracle-os/coracle/machined/state"
)

// backend is what the API's methods act on.
func (d *daemon) backend() api.Backend {
	return api.Backend{
		Store: d.store, Release: d.release, Kubeconfig: d.kubeStatus.Kubeconfig, Power: d.power,
		Logs: map[string]api.LogSource{
			wire.Kube: func(ctx context.Context, w io.Writer, tail int64, follow bool) error {
				from := int64(0)
				if tail > 0 {
					from = max(0, kubeProgram.Log.Size()-tail)
				}
				return kubeProgram.Log.Copy(ctx, w, from, follow)
			},
			wire.Machined: logs.Own,
			wire.Kernel:   logs.Kernel,
		},
	}
}

// power asks init to take the machine down.
func (d *daemon) power(message, by string) error {
	why := map[string]string{control.Reboot: "restart", control.Poweroff: "power off"}[message]
	d.log.Warn(fmt.Sprintf("%s asked over the API to %s the machine", by, why))
	if err := d.tellInit(message); err != nil {
		return err
	}
	d.store.Update(func(m *state.Machine) { m.ShuttingDown = why })
	return nil
}

const conditionAPI = "api"

// serveAPI answers callers on the port of the config, and those of its keys. It may be called again.
func (d *daemon) serveAPI(context.Context) error {
	c, configured := d.current()
	d.api.Allow(c.Machine.API.Keys, configured)
	port := c.Machine.API.Port
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listening != nil {
		if port == d.port {
			return nil
		}
		d.listening()
		d.listening = nil
	}
	err := d.listen(port)
	wrong := state.Condition{ID: conditionAPI, Severity: state.Error, Hint: "restart the machine; if that does not help, take another machine.api.port"}
	if err != nil {
		wrong.Message = fmt.Sprintf("The machine API does not answer: %v", err)
	}
	d.store.Put(err != nil, wrong)
	return err
}

// listen starts to answer on a port. d.mu is held.
func (d *daemon) listen(port int) error {
	certificate, err := keys.Certificate(d.machineKey, "coracle")
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(d.ctx)
	d.listening, d.port = cancel, port
	d.loops.Go(func() {
		if err := d.api.Serve(ctx, listener, certificate); err != nil {
			d.log.Error("the machine API ended", "error", err)
		}
	})
	d.store.Update(func(m *state.Machine) { m.API.Port = port })
	d.log.Warn(fmt.Sprintf("API on :%d, fingerprint %s", port, keys.Public(d.machineKey).Fingerprint()))
	return nil
}
