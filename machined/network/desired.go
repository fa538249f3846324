package network

import (
	"net/netip"
	"slices"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
)

// Protocols of our routes (linux/rtnetlink.h). A route of another protocol is somebody else's.
const (
	protocolStatic = 4
	protocolDHCP   = 16
)

// address is an address of an interface.
type address struct {
	Prefix    netip.Prefix
	Lifetime  time.Duration // the kernel removes it afterwards; 0: never
	Tentative bool          // the kernel has yet to see that nobody else has it (IPv6)
}

// route is a route out of an interface.
type route struct {
	To       netip.Prefix
	Via      netip.Addr // invalid: on the link
	Metric   int
	Protocol int
	OnLink   bool // Via is outside of the interface's networks
}

// same is whether the kernel takes a and b for the same route.
func (r route) same(o route) bool {
	return r.To == o.To && r.Via == o.Via && r.Metric == o.Metric && r.Protocol == o.Protocol
}

// slot is what the kernel has one route for: a second one replaces the first, even on another interface.
type slot struct {
	to     netip.Prefix
	metric int
}

// claim keeps the first route of each slot that is not taken, and takes it.
func claim(routes []route, taken map[slot]bool) []route {
	return slices.DeleteFunc(routes, func(r route) bool {
		s := slot{r.To, r.Metric}
		lost := taken[s]
		taken[s] = true
		return lost
	})
}

// plan is how an interface should be.
type plan struct {
	Addresses []address
	Routes    []route
	MTU       int // 0: as it is
	IPv6      ipv6
	// RouterMetric is that of the default route of router advertisements.
	RouterMetric int
}

// ipv6 is how the kernel should do IPv6 on an interface.
type ipv6 int

const (
	ipv6Auto   ipv6 = iota // SLAAC; the addresses that it is given too
	ipv6Static             // only the addresses it is given
	ipv6Off
)

const (
	// wiredMetric is the metric of routes from DHCP on the first interface; later ones have one more each. Static
	// routes, 0 unless they say, go first.
	wiredMetric = 100
	// wirelessMetric is the same on a Wi-Fi interface.
	wirelessMetric = 600
	// ipv6Metric is what the kernel makes of the metric 0 of an IPv6 route. Those of router advertisements have as much more than
	// those of DHCP, so that static ones go first there too.
	ipv6Metric = 1024
)

// metricFor is the metric of routes that l gets from DHCP. order is its position among the machine's interfaces.
func metricFor(c *types.Interface, l link, order int) int {
	switch {
	case c.Metric > 0:
		return c.Metric
	case l.Wireless:
		return wirelessMetric + order
	}
	return wiredMetric + order
}

// leases are what DHCP servers granted an interface; nil: nothing.
type leases struct{ v4, v6 *lease }

// planFor says how the interface with settings c and perhaps leases should be at now. metric is that of its routes from
// DHCP, taken what routes of the interfaces before it have.
func planFor(c *types.Interface, have leases, metric int, now time.Duration, taken map[slot]bool) plan {
	p := plan{MTU: c.MTU, RouterMetric: ipv6Metric + metric}
	switch {
	case c.IPv6 != types.IPv6Off:
		p.IPv6 = ipv6Auto
	case hasIPv6(c.Addresses):
		p.IPv6 = ipv6Static
	default:
		p.IPv6 = ipv6Off
	}
	for _, a := range c.Addresses {
		p.Addresses = append(p.Addresses, address{Prefix: a})
	}
	for _, r := range c.Routes {
		static := route{To: r.To.Masked(), Via: r.Via, Metric: r.Metric, Protocol: protocolStatic}
		if static.To.Addr().Is6() && static.Metric == 0 {
			static.Metric = ipv6Metric
		}
		p.Routes = append(p.Routes, static)
	}
	p.Routes = claim(p.Routes, taken)
	if l := have.v4; l != nil && c.UseDHCP() && !l.expired(now) {
		p.addLease(l, metric, now, taken)
	}
	if l := have.v6; l != nil && c.IPv6 != types.IPv6Off && !l.expired(now) && l.Address.IsValid() {
		p.addLeased(l, now)
	}
	for i := range p.Routes {
		r := &p.Routes[i]
		r.OnLink = r.Via.IsValid() && !r.Via.IsLinkLocalUnicast() && !slices.ContainsFunc(p.Addresses, func(a address) bool { return a.Prefix.Contains(r.Via) })
	}
	return p
}

func hasIPv6(prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Addr().Is6() })
}

// addLeased adds the address of a lease.
func (p *plan) addLeased(l *lease, now time.Duration) {
	leased := address{Prefix: l.Address}
	if end, ok := l.ends(); ok {
		leased.Lifetime = end - now
	}
	if !slices.ContainsFunc(p.Addresses, func(a address) bool { return a.Prefix == leased.Prefix }) {
		p.Addresses = append(p.Addresses, leased)
	}
}

// addLease adds what a DHCPv4 lease says. A route that another interface has with the same metric gets the next free one.
func (p *plan) addLease(l *lease, metric int, now time.Duration, taken map[slot]bool) {
	p.addLeased(l, now)
	for _, r := range l.Routes {
		if r.To == l.Address.Masked() && !r.Via.IsValid() {
			continue // comes with the address
		}
		s := slot{r.To, metric}
		for taken[s] {
			s.metric++
		}
		taken[s] = true
		p.Routes = append(p.Routes, route{To: r.To, Via: r.Via, Metric: s.metric, Protocol: protocolDHCP})
	}
	if p.MTU == 0 {
		p.MTU = l.MTU
	}
}
