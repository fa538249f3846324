package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/coracle-os/coracle/init/control"
	"github.com/coracle-os/coracle/machined/clock"
	"github.com/coracle-os/coracle/machined/host"
	"github.com/coracle-os/coracle/machined/state"
)

// setName gives the machine its name.
func (d *daemon) setName(context.Context) error {
	d.mu.Lock()
	d.name = host.Name(cmp.Or(d.config.Machine.Name, d.givenName()), d.id)
	name := d.name
	d.mu.Unlock()
	d.store.Update(func(m *state.Machine) { m.Name = name })
	if err := host.WriteHosts(host.EtcDir, name, netip.Addr{}); err != nil {
		return err
	}
	return host.SetName(name)
}

// givenName is the name that a DHCP server gave at the first start; empty: none did.
func (d *daemon) givenName() string {
	if !d.dataReady {
		return ""
	}
	return host.GivenName(host.GivenNamePath)
}

// machineName is the machine's name as it is now.
func (d *daemon) machineName() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.name
}

// loadModules loads the modules that every machine needs.
func (d *daemon) loadModules(context.Context) error {
	err := host.LoadBaseModules()
	if err != nil {
		d.store.Set(state.Condition{ID: "modules", Severity: state.Error, Message: fmt.Sprintf("The pod network may not work: %v", err), Hint: "this image is not complete; install another release"})
	}
	return nil
}

// setUpKernel loads the modules of the config and sets sysctls.
func (d *daemon) setUpKernel(context.Context) error {
	c, _ := d.current()
	modules := d.warn("machine.modules", host.LoadModules(c.Machine.Modules...)) // first: they bring sysctls with them
	sysctls := d.warn("machine.sysctls", kernelSettings.Set(c.Machine.Sysctls))
	return errors.Join(modules, sysctls)
}

// kernelSettings remembers for as long as the kernel runs what they were before a config.
var kernelSettings = host.Sysctls{Root: "/proc/sys", Saved: "/run/coracle/sysctls.json"}

// said is an error that a condition shows already.
type said struct{ error }

func (s said) Unwrap() error { return s.error }

// warn shows what is wrong with a part of the config, or no longer is. It returns err as said.
func (d *daemon) warn(part string, err error) error {
	c := state.Condition{ID: part, Severity: state.Warning, Hint: "correct " + part + " in the config"}
	if err != nil {
		c.Message = err.Error()
	}
	d.store.Put(err != nil, c)
	if err != nil {
		return said{err}
	}
	return nil
}

// raiseClock keeps the clock from being before this release was built.
func (d *daemon) raiseClock(context.Context) error { return d.raise("") }

func (d *daemon) raise(saved string) error {
	raised, err := clock.Raise(clock.Floor(d.release.Built(), saved))
	if raised {
		d.log.Warn("the clock was in the past and is set to the last time that is known", "now", time.Now().UTC().Format(time.RFC3339))
	}
	return err
}

// raiseSavedClock does the same with the time that was saved on DATA.
func (d *daemon) raiseSavedClock(context.Context) error {
	if !d.dataReady {
		return nil
	}
	return d.raise(clock.SavedPath)
}

// configureWatchdog passes the timeout on to init, which has the watchdog.
func (d *daemon) configureWatchdog(context.Context) error {
	c, configured := d.current()
	if !configured {
		return nil
	}
	return d.tellInit(fmt.Sprintf("%s %d", control.Watchdog, time.Duration(c.Machine.Watchdog.Timeout)/time.Second))
}

// tellInit sends a message on the line to init.
func (d *daemon) tellInit(message string) error {
	if _, err := d.line.WriteString(message); err != nil {
		return fmt.Errorf("tell init %q: %w", message, err)
	}
	return nil
}
