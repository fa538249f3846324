package network

import (
	"net/netip"
	"slices"
	"time"
)

// changes are what makes an interface as a plan says. Additions come first when they are carried out, so that a connection over
// an address that stays is not cut.
type changes struct {
	AddAddresses    []address // or give them a new lifetime
	RemoveAddresses []netip.Prefix
	AddRoutes       []route
	RemoveRoutes    []route
	MTU             int // 0: as it is
}

func (c changes) none() bool {
	return len(c.AddAddresses)+len(c.RemoveAddresses)+len(c.AddRoutes)+len(c.RemoveRoutes)+c.MTU == 0
}

// lifetimeSlack is how far apart a lifetime that is wanted and the kernel's may be.
const lifetimeSlack = 5 * time.Second

// diff compares what is wanted with what the kernel has: its addresses, those of its routes that have one of our
// protocols, its MTU. owned are the addresses that an earlier plan put there; others stay, whoever made them.
func diff(want plan, addresses []address, routes []route, mtu int, owned []netip.Prefix) changes {
	var c changes
	for _, a := range want.Addresses {
		i := slices.IndexFunc(addresses, func(b address) bool { return a.Prefix == b.Prefix })
		if i < 0 || differ(a.Lifetime, addresses[i].Lifetime) {
			c.AddAddresses = append(c.AddAddresses, a)
		}
	}
	for _, a := range addresses {
		if slices.Contains(owned, a.Prefix) && !slices.ContainsFunc(want.Addresses, func(b address) bool { return a.Prefix == b.Prefix }) {
			c.RemoveAddresses = append(c.RemoveAddresses, a.Prefix)
		}
	}
	for _, r := range want.Routes {
		if !slices.ContainsFunc(routes, r.same) {
			c.AddRoutes = append(c.AddRoutes, r)
		}
	}
	for _, r := range routes {
		if !slices.ContainsFunc(want.Routes, r.same) {
			c.RemoveRoutes = append(c.RemoveRoutes, r)
		}
	}
	if want.MTU != 0 && want.MTU != mtu {
		c.MTU = want.MTU
	}
	return c
}

func differ(a, b time.Duration) bool {
	if a == 0 || b == 0 {
		return a != b
	}
	return (a - b).Abs() > lifetimeSlack
}
