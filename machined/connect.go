package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/machined/clock"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/host"
	"github.com/coracle-os/coracle/machined/network"
	"github.com/coracle-os/coracle/machined/state"
)

// startNetwork connects the machine as the config says; without one, by DHCP and SLAAC.
func (d *daemon) startNetwork(ctx context.Context) error {
	if err := d.configureNetwork(ctx); err != nil {
		return err
	}
	d.loops.Go(func() { d.network.Run(d.ctx) })
	d.loop("state of the network", time.Minute, d.watchNetwork)
	return nil
}

func (d *daemon) configureNetwork(context.Context) error {
	c, _ := d.current()
	d.network.Configure(c.Machine.Network, d.machineName())
	return nil
}

// lookAgain is how often the network's state is looked at without a change.
const lookAgain = 15 * time.Second

// watchNetwork draws the conclusions from how the machine is connected.
func (d *daemon) watchNetwork(ctx context.Context, beat func()) {
	started := time.Now()
	var shown []string // IDs of conditions of the network
	for {
		beat()
		s, changed := d.network.State()
		shown = d.showNetwork(s, shown)
		d.setTimeServers(s)
		d.takeName(s.Hostname)
		wait := d.placeNode(s, started)
		timer := time.NewTimer(min(wait, lookAgain))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
			d.clock.Wake()
		case <-d.nodeChanged:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// takeName takes the host name that a DHCP server gave, for good: once there is a Kubernetes node, it has that name.
func (d *daemon) takeName(given string) {
	c, _ := d.current()
	if given == "" || c.Machine.Name != "" || !d.dataReady || (owned{d}).Cluster() {
		return
	}
	took, err := host.TakeName(host.GivenNamePath, given)
	if err != nil {
		d.log.Error("the host name from DHCP", "error", err)
	}
	if !took {
		return
	}
	d.log.Warn("the DHCP server gives the machine the name " + given)
	if err := d.setName(d.ctx); err != nil {
		d.log.Error("name", "error", err)
	}
	d.configureNetwork(d.ctx)
}

// showNetwork puts the network's state into the machine's. It returns the conditions that it set.
func (d *daemon) showNetwork(s network.State, before []string) []string {
	var addresses []state.Address
	for _, a := range s.Addresses {
		if !a.Prefix.Addr().IsLinkLocalUnicast() {
			addresses = append(addresses, state.Address{Interface: a.Interface, Prefix: a.Prefix.String()})
		}
	}
	if m, _ := d.store.Get(); !slices.Equal(m.Addresses, addresses) {
		d.store.Update(func(m *state.Machine) { m.Addresses = addresses })
	}
	// IPv4 first: SLAAC is often the faster, but DHCP is what Kubernetes waits for.
	if i := slices.IndexFunc(addresses, func(a state.Address) bool { return strings.Contains(a.Prefix, ".") }); i >= 0 {
		d.milestone("network", addresses[i].Interface+" "+addresses[i].Prefix)
	}
	var ids []string
	for _, c := range s.Conditions {
		d.store.Set(c)
		ids = append(ids, c.ID)
	}
	for _, id := range before {
		if !slices.Contains(ids, id) {
			d.store.Clear(id)
		}
	}
	return ids
}

// startTime sets the clock from time servers, unless the config says not to.
func (d *daemon) startTime(context.Context) error {
	c, _ := d.current()
	d.store.Update(func(m *state.Machine) { m.Time.Disabled = c.Machine.Time.Disabled })
	s, _ := d.network.State()
	d.setTimeServers(s)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case c.Machine.Time.Disabled && d.timing != nil:
		d.timing()
		d.timing = nil
	case !c.Machine.Time.Disabled && d.timing == nil:
		ctx, cancel := context.WithCancel(d.ctx)
		d.timing = cancel
		d.loops.Go(func() { d.clock.Run(ctx) })
		d.loops.Go(func() { d.watchClock(ctx) })
	case d.timing != nil:
		d.clock.Wake()
	}
	return nil
}

// setTimeServers has the clock set from the servers of the config and of the network.
func (d *daemon) setTimeServers(s network.State) {
	c, _ := d.current()
	d.clock.SetServers(timeServers(c.Machine.Time.Servers, s.NTPServers))
}

// timeServers are those to ask: the config's, but before its defaults those that came with DHCP. chosen is whether the
// config names them.
func timeServers(configured, fromNetwork []string) (servers []string, chosen bool) {
	if !slices.Equal(configured, config.Default().Machine.Time.Servers) {
		return configured, true
	}
	return append(slices.Clone(fromNetwork), configured...), false
}

const conditionClock = "time"

// watchClock shows the clock's state until ctx ends.
func (d *daemon) watchClock(ctx context.Context) {
	defer d.store.Clear(conditionClock)
	patience := time.After(clockPatience)
	patient := true
	for {
		s, changed := d.clock.State()
		d.showClock(s, patient)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-patience:
			patient = false
		}
	}
}

// clockPatience is how long no time server may answer after a start before a person should know. The first tries come
// before there are addresses and nameservers.
const clockPatience = time.Minute

// showClock puts the clock's state into the machine's. A machine without the Internet works, so that no server answers is
// worth knowing and no more.
func (d *daemon) showClock(s clock.State, patient bool) {
	d.store.Update(func(m *state.Machine) {
		m.Time.Synced, m.Time.Server, m.Time.LastSync, m.Time.Problem = s.Synced, s.Source, s.LastSync, s.Problem
	})
	c := state.Condition{
		ID: conditionClock, Severity: state.Info, Message: "No time server answers; the clock runs by itself.",
		Hint: "name one that the machine reaches in machine.time.servers",
	}
	if s.Refused {
		c.Severity = state.Warning
		c.Message = "A time server says that it is earlier than the time that this machine saved last. Alone it is not believed, so the clock runs by itself."
		c.Hint = "if the clock is wrong, name the server in machine.time.servers: those are believed"
	}
	d.store.Put(s.Problem != "" && !patient, c)
	if s.Synced {
		d.milestone("time", s.Source)
	}
}
