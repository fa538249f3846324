package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/machined/api"
	"github.com/coracle-os/coracle/machined/api/podlog"
	"github.com/coracle-os/coracle/machined/events"
	"github.com/coracle-os/coracle/machined/host"
	"github.com/coracle-os/coracle/machined/inspect"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/machined/logs"
	"github.com/coracle-os/coracle/machined/network"
	"github.com/coracle-os/coracle/machined/state"
)

// backend is what the API's methods act on.
func (d *daemon) backend() api.Backend {
	kernelTime := api.KernelTime(kernelStarted)
	return api.Backend{
		Store: d.store, Events: new(events.Log), Release: d.release, System: inspect.Host(), Disk: d.boot.Disk,
		Logs: map[string]api.LogSource{
			api.KubeLog:     {Open: func() (api.LogReader, error) { return kubeProgram.Log.Reader(), nil }, Time: api.KubeTime},
			api.MachinedLog: {Open: opened(logs.Own), Time: kernelTime},
			api.KernelLog:   {Open: opened(logs.Kernel), Time: kernelTime},
		},
		PodLogs: podlog.Default, TimeServers: d.clock.Servers, Leases: network.Leases, Kubeconfig: d.kubeStatus.Kubeconfig, Tokens: d.kubeStatus,
		Endpoint: func() string { c, _ := d.current(); return c.Cluster.Endpoint },
		Restart:  map[string]func() error{"kube": d.restartKube, "machined": d.restartSelf}, Power: d.power,
		Reset: d.reset, Config: d.configs, Upgrade: upgrades{d.updater, d},
	}
}

// opened opens a log of the kernel's ring.
func opened(open func() (*logs.Reader, error)) func() (api.LogReader, error) {
	return func() (api.LogReader, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return r, nil
	}
}

// kernelStarted is when the kernel was started, by the clock as it is now.
func kernelStarted() time.Time {
	up, err := host.Uptime()
	if err != nil {
		return time.Time{}
	}
	return time.Now().Add(-up)
}

// restartSelf ends machined once the caller has been told; init starts it again. Kubernetes and its pods go on.
func (d *daemon) restartSelf() error {
	d.log.Warn("machined is restarted, as was asked over the API")
	time.AfterFunc(time.Second, func() { os.Exit(0) })
	return nil
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

// serveAPI answers callers on the port of the config, and those of its keys. It may be called again. Who calls on another
// port when that changes gets his answer first.
func (d *daemon) serveAPI(context.Context) error {
	c, configured := d.current()
	// A config that cannot be read may have had keys. Whoever is at the machine can put another on BOOT; nobody else may.
	d.api.Allow(c.Machine.API.Keys, configured || d.holdsConfig())
	port := c.Machine.API.Port
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.listening
	if before != nil && port == d.port {
		d.store.Clear(conditionAPI)
		return nil
	}
	err := d.listen(port)
	wrong := state.Condition{ID: conditionAPI, Severity: state.Error, Hint: "restart the machine; if that does not help, take another machine.api.port"}
	if err != nil {
		wrong.Message = fmt.Sprintf("The machine API does not answer on port %d: %v", port, err)
	}
	d.store.Put(err != nil, wrong)
	if err == nil && before != nil {
		before()
	}
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
	if d.listening == nil { // the first time
		d.loops.Go(func() { d.api.Backend.Events.Watch(d.ctx, d.store) })
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
