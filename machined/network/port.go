package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
)

// port is a managed interface. Its DHCP client brings it a lease; what follows from that and from its settings is made
// by apply.
type port struct {
	name string
	dir  string // of its memory
	log  *slog.Logger
	wake func() // has the loop look again

	link     link
	settings types.Interface
	failed   string             // the error of the last changes
	stop     context.CancelFunc // nil: no DHCP client runs
	done     chan struct{}      // closed when the DHCP client has ended

	mu      sync.Mutex // for what follows, while the DHCP client runs
	memory  memory
	asking  time.Duration // since boot: since when DHCP has been asked for; 0: it is not, or it has answered
	problem string        // of DHCP
}

// newPort returns the port of l, with what an earlier machined knew of it.
func newPort(l link, dir string, log *slog.Logger, wake func()) *port {
	known, err := recall(dir, l)
	if err != nil {
		log.Warn("network: what was known of the interface is lost", "interface", l.Name, "error", err)
	}
	return &port{name: l.Name, dir: dir, log: log, wake: wake, memory: known}
}

// connect starts the DHCP client of an interface that has a carrier, and stops that of one that has not: with the
// cable back, the lease has to be verified.
func (p *port) connect(ctx context.Context, hostname string) {
	switch want := p.settings.UseDHCP() && p.link.Carrier; {
	case !want:
		p.disconnect()
	case p.stop == nil:
		mac, err := net.ParseMAC(p.link.MAC)
		if err != nil {
			return
		}
		known := p.memory.Lease
		if known == nil || known.expired(bootTime()) {
			p.asking = bootTime()
		}
		client := &dhcpClient{
			exchange: dhcpExchange{name: p.name, mac: mac, hostname: hostname},
			log:      p.log.With("interface", p.name),
			leased:   p.leased,
			asking:   p.noLease,
		}
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		p.stop, p.done = cancel, done
		go func() {
			defer close(done)
			client.run(ctx, known)
		}()
	}
}

// disconnect ends the DHCP client, and returns when it has ended.
func (p *port) disconnect() {
	if p == nil || p.stop == nil {
		return
	}
	p.stop()
	<-p.done
	p.stop, p.asking, p.problem = nil, 0, ""
}

// leased takes a lease, or that it is gone.
func (p *port) leased(l *lease) {
	p.mu.Lock()
	p.problem, p.asking = "", 0
	if l == nil {
		p.asking = bootTime()
	}
	first := p.memory.Lease == nil && l != nil
	p.memory.Lease = l
	err := p.memory.keep(p.dir, p.name)
	p.mu.Unlock()
	if err != nil {
		p.log.Warn("network", "error", err)
	}
	if first {
		p.log.Info("network: got a lease", "interface", p.name, "address", l.Address, "server", l.Server, "lifetime", l.Lifetime)
	}
	p.wake()
}

// noLease takes why there is no lease yet.
func (p *port) noLease(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problem = ""
	if !errors.Is(err, nclient4.ErrNoResponse) {
		p.problem = p.name + ": " + err.Error()
	}
	p.wake()
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
	p.mu.Lock()
	l, leased, owned := p.link, p.memory.Lease, slices.Clone(p.memory.Owned)
	v := view{link: l, lease: leased, problem: p.problem}
	if p.asking > 0 {
		v.asking = now - p.asking
	}
	p.mu.Unlock()
	if leased != nil && (leased.expired(now) || !p.settings.UseDHCP()) {
		leased, v.lease = nil, nil
	}
	want := planFor(&p.settings, leased, order, now, taken)
	for _, s := range sysctls(l.Name, want.IPv6) {
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

// release forgets the interface. If it is still there, it loses our addresses and routes.
func (p *port) release() {
	p.disconnect()
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
