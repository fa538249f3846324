package network

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
)

// port is a managed interface. Its DHCP clients bring it leases; what follows from these and from its settings is made
// by apply.
type port struct {
	name string
	dir  string // of its memory
	log  *slog.Logger
	wake func() // has the loop look again

	link     link
	settings types.Interface
	mode     dhcp6Mode
	failed   string   // the error of the last changes
	station  *station // joins a Wi-Fi network; nil: the interface is none for that

	clients [families]runningClient
	mu      sync.Mutex // for what follows, while a DHCP client runs
	memory  memory
}

// newPort returns the port of l, with what an earlier machined knew of it.
func newPort(l link, dir string, log *slog.Logger, wake func()) *port {
	known, err := recall(dir, l)
	if err != nil {
		log.Warn("network: what was known of the interface is lost", "interface", l.Name, "error", err)
	}
	return &port{name: l.Name, dir: dir, log: log, wake: wake, memory: known}
}

// apply makes the interface as it should be, and returns how it is then. An error is logged, once while it stays.
func (p *port) apply(order int, now time.Duration, taken map[slot]bool) (view, error) {
	v, err := p.change(order, now, taken)
	said := ""
	if err != nil {
		said = err.Error()
		if said != p.failed {
			p.log.Warn("network", "error", err)
		}
	}
	p.failed = said
	return v, err
}

func (p *port) change(order int, now time.Duration, taken map[slot]bool) (view, error) {
	l := p.link
	v, owned := p.view(now)
	want := planFor(&p.settings, v.leases, metricFor(&p.settings, l, order), now, taken)
	if err := forgetRouters(l.Name, want); err != nil {
		return v, err
	}
	for _, s := range sysctls(l.Name, want) {
		if err := s.apply(); err != nil {
			return v, err
		}
	}
	if !l.Up {
		if err := bringUp(l.Name); err != nil {
			v.problem = err.Error()
			return v, err
		}
	}
	have, err := addresses(l.Index)
	if err != nil {
		return v, fmt.Errorf("%s: list addresses: %w", l.Name, err)
	}
	v.addresses = final(have)
	routes, err := ownRoutes(l.Index)
	if err != nil {
		return v, fmt.Errorf("%s: list routes: %w", l.Name, err)
	}
	if want.MTU, err = p.mtu(want.MTU); err != nil {
		return v, err
	}
	c := diff(want, have, routes, l.MTU, owned)
	if c.none() {
		return v, nil
	}
	v.changed = true
	// Remembered before it is done: an address that is not known as ours would stay for ever.
	for _, a := range want.Addresses {
		owned = union(owned, []netip.Prefix{a.Prefix})
	}
	if err := p.own(owned); err != nil {
		return v, err
	}
	if err := carryOut(l, c); err != nil {
		v.problem = err.Error()
		return v, err
	}
	owned = slices.DeleteFunc(owned, func(o netip.Prefix) bool { return slices.Contains(c.RemoveAddresses, o) })
	if err := p.own(owned); err != nil {
		return v, err
	}
	have, err = addresses(l.Index)
	v.addresses = final(have)
	return v, err
}

// view is what is known of the interface at now without the kernel, and which addresses of it are ours.
func (p *port) view(now time.Duration) (v view, owned []netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v = view{link: p.link, leases: leases{p.memory.Lease, p.memory.Lease6}}
	for f, c := range p.clients {
		if c.asking > 0 {
			v.asking[f] = now - c.asking
		}
		if v.problem == "" {
			v.problem = c.problem
		}
	}
	if l := v.leases.v4; l != nil && (l.expired(now) || !p.settings.UseDHCP()) {
		v.leases.v4 = nil
	}
	if l := v.leases.v6; l != nil && (l.expired(now) || p.mode == dhcp6Off) {
		v.leases.v6 = nil
	}
	if p.station != nil {
		w := p.station.snapshot()
		v.wifi = &w
		if !w.Connected {
			v.joining = now - w.since
		}
	}
	return v, slices.Clone(p.memory.Owned)
}

// mtu is the MTU to set for one that is wanted; 0: as it is. When none is wanted any more, it is what the interface had before.
func (p *port) mtu(want int) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.memory.MTU
	switch {
	case want == 0 && before != 0:
		p.memory.MTU = 0
	case want != 0 && before == 0 && want != p.link.MTU:
		p.memory.MTU = p.link.MTU
	default:
		return want, nil
	}
	if want == 0 {
		want = before
	}
	return want, p.memory.keep(p.dir, p.name)
}

// final are the addresses that can be used.
func final(all []address) []address {
	return slices.DeleteFunc(slices.Clone(all), func(a address) bool { return a.Tentative })
}

// own remembers which addresses of the interface are ours.
func (p *port) own(owned []netip.Prefix) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Equal(p.memory.Owned, owned) {
		return nil
	}
	p.memory.Owned = slices.Clone(owned)
	return p.memory.keep(p.dir, p.name)
}

// abandon ends what runs for hardware that is gone.
func (p *port) abandon() {
	p.disconnectAll()
	if p.station != nil {
		p.station.stop()
		p.station = nil
	}
}

// release forgets the interface. If it is still there, it loses our addresses and routes.
func (p *port) release() {
	p.abandon()
	os.Remove(memoryPath(p.dir, p.name))
	routes, err := ownRoutes(p.link.Index)
	if err != nil {
		return
	}
	have, err := addresses(p.link.Index)
	if err != nil {
		return
	}
	if err := carryOut(p.link, diff(plan{}, have, routes, p.link.MTU, p.memory.Owned)); err != nil {
		p.log.Info("network: release", "error", err)
	}
}
