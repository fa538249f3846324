package network

import (
	"context"
	"errors"
	"net"
	"time"
)

// family is an IP version; the index of its DHCP client in a port.
type family int

const (
	familyIPv4 family = iota
	familyIPv6
	families
)

func (f family) String() string { return [families]string{"DHCP", "DHCPv6"}[f] }

// runningClient is a DHCP client of a port; its zero value does not run.
type runningClient struct {
	stop context.CancelFunc // nil: it does not run
	done chan struct{}      // closed when it has ended
	mode dhcp6Mode          // of a DHCPv6 client: what it asks for

	// Under the port's lock while it runs.
	asking  time.Duration // since boot: since when it has asked; 0: it has an answer
	problem string        // what it said last
}

// connect starts the DHCP clients of an interface that has a carrier, and stops those of one that has not: with the
// cable back, the lease has to be verified. mode is what to ask DHCPv6 for.
func (p *port) connect(ctx context.Context, hostname string, mode dhcp6Mode) {
	mac, err := net.ParseMAC(p.link.MAC)
	connected := p.link.Carrier && err == nil
	if connected && p.settings.UseDHCP() {
		p.ask(ctx, familyIPv4, dhcpExchange{name: p.name, mac: mac, hostname: hostname})
	} else {
		p.disconnect(familyIPv4)
	}
	p.mode = mode
	if c := &p.clients[familyIPv6]; c.stop != nil && c.mode != mode {
		p.disconnect(familyIPv6)
	}
	switch {
	case !connected || mode == dhcp6Off:
		p.disconnect(familyIPv6)
	case p.clients[familyIPv6].stop == nil && linkLocal(p.link.Index) != nil:
		p.ask(ctx, familyIPv6, dhcp6Exchange{index: p.link.Index, mac: mac, stateless: mode == dhcp6Stateless})
		p.clients[familyIPv6].mode = mode
	}
}

// ask starts a DHCP client unless it runs.
func (p *port) ask(ctx context.Context, f family, how exchange) {
	c := &p.clients[f]
	if c.stop != nil {
		return
	}
	p.mu.Lock()
	known := *p.memory.of(f)
	if known != nil && f == familyIPv6 && known.Address.IsValid() != (p.mode == dhcp6Stateful) {
		known = nil // a lease of one kind is none of the other
	}
	if known == nil || known.expired(bootTime()) {
		c.asking = bootTime()
	}
	p.mu.Unlock()
	client := &dhcpClient{
		exchange: how,
		log:      p.log.With("interface", p.name),
		leased:   func(l *lease) { p.leased(f, l) },
		asking:   func(err error) { p.noLease(f, err) },
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	c.stop, c.done = cancel, done
	go func() {
		defer close(done)
		client.run(ctx, known)
	}()
}

// disconnect ends a DHCP client, and returns when it has ended.
func (p *port) disconnect(f family) {
	c := &p.clients[f]
	if c.stop == nil {
		return
	}
	c.stop()
	<-c.done
	*c = runningClient{}
}

// disconnectAll ends the DHCP clients.
func (p *port) disconnectAll() {
	for f := range families {
		p.disconnect(f)
	}
}

// leased takes a lease, or that it is gone.
func (p *port) leased(f family, l *lease) {
	p.mu.Lock()
	c := &p.clients[f]
	c.problem, c.asking = "", 0
	if l == nil {
		c.asking = bootTime()
	}
	first := *p.memory.of(f) == nil && l != nil
	p.mu.Unlock()
	p.remember(f, l)
	if first {
		p.log.Info("network: "+f.String()+" has answered", "interface", p.name, "address", l.Address, "server", l.Server, "lifetime", l.Lifetime)
	}
	p.wake()
}

// remember keeps a lease for the next machined.
func (p *port) remember(f family, l *lease) {
	p.mu.Lock()
	*p.memory.of(f) = l
	err := p.memory.keep(p.dir, p.name)
	p.mu.Unlock()
	if err != nil {
		p.log.Warn("network", "error", err)
	}
}

// noLease takes why there is no lease yet.
func (p *port) noLease(f family, err error) {
	p.mu.Lock()
	c := &p.clients[f]
	c.problem = ""
	if !errors.Is(err, errSilent) {
		c.problem = p.name + ": " + err.Error()
	}
	p.mu.Unlock()
	p.wake()
}
