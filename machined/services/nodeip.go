package services

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
)

// Address is an address of an interface of this machine.
type Address struct {
	Interface string
	Addr      netip.Addr
	Default   bool // the default route goes out of this interface
}

const (
	// DummyInterface carries the node's address while the network gives none.
	DummyInterface = "coracle0"

	// addressGrace is how long a machine waits for a first address that the default route goes out of, before it does
	// with another, or without.
	addressGrace = 10 * time.Second
	// lossGrace is how long kube keeps the address that it has, after the network lost it. Longer than a switch or
	// router takes to start again: to change the address restarts kube.
	lossGrace = 60 * time.Second
)

// ownAddresses are what DummyInterface may have: private, not link-local (the API server refuses to advertise that),
// and unlikely to be anybody's network.
var ownAddresses = []netip.Addr{
	netip.MustParseAddr("10.254.254.1"),
	netip.MustParseAddr("172.31.254.1"),
	netip.MustParseAddr("192.168.254.1"),
}

// OwnAddress is the address for DummyInterface that is in no network of the cluster.
func OwnAddress(c types.Cluster) netip.Addr {
	for _, a := range ownAddresses {
		if !c.PodCIDR.Contains(a) && !c.ServiceCIDR.Contains(a) {
			return a
		}
	}
	return ownAddresses[0] // not reached: each of the two networks is too small to hold two of the three
}

// usable is whether a can be the node's address: IPv4, as the cluster's networks are, and not the cluster's own.
func (a Address) usable(c types.Cluster) bool {
	return a.Addr.Is4() && a.Addr.IsGlobalUnicast() && a.Interface != DummyInterface &&
		!c.PodCIDR.Contains(a.Addr) && !c.ServiceCIDR.Contains(a.Addr) && !madeByKubernetes(a.Interface)
}

// madeByKubernetes is whether an interface came with the pod network.
func madeByKubernetes(name string) bool {
	return slices.ContainsFunc([]string{"cni", "flannel", "veth", "kube-", "nodelocaldns"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// NodeIP decides the node's address as the network changes.
type NodeIP struct {
	Cluster types.Cluster

	Current     netip.Addr // the node has; set it to what a running kube was told
	CurrentIPv6 netip.Addr // likewise, beside it; not valid: none

	lostAt time.Time // when the network no longer had Current; zero: it has it
}

// Choose returns the node's address at now, given the addresses that the machine has. started is when the network was
// first brought up. The zero address means to wait, until at the latest. To change the address restarts kube, so one that
// the default route does not go out of is taken only when time has shown that there is no better.
func (n *NodeIP) Choose(addresses []Address, now, started time.Time) (ip netip.Addr, until time.Time) {
	var candidates []Address
	for _, a := range addresses {
		if a.usable(n.Cluster) {
			candidates = append(candidates, a)
		}
	}
	own := OwnAddress(n.Cluster)
	fallback := own
	if len(candidates) > 0 {
		fallback = candidates[0].Addr
	}
	byDefault := slices.IndexFunc(candidates, func(a Address) bool { return a.Default })
	switch {
	case slices.ContainsFunc(candidates, func(a Address) bool { return a.Addr == n.Current }):
		n.lostAt = time.Time{} // stay, even if another has become nicer
	case byDefault >= 0:
		n.Current, n.lostAt = candidates[byDefault].Addr, time.Time{}
	case !n.Current.IsValid() || n.Current == own:
		if until := started.Add(addressGrace); now.Before(until) {
			return n.Current, until
		}
		n.Current = fallback
	default:
		if n.lostAt.IsZero() {
			n.lostAt = now
		}
		if until := n.lostAt.Add(lossGrace); now.Before(until) {
			return n.Current, until
		}
		n.Current, n.lostAt = fallback, time.Time{}
	}
	return n.Current, time.Time{}
}

// IPv6 returns the node's second address, in a cluster of both families: a global one of the interface that has the first; not
// valid: there is none. It comes a moment after the first, so at the start it is worth waiting for, until at the latest; zero: no
// longer. One that is gone without another in its place is kept: to change it restarts kube. Call it after Choose.
func (n *NodeIP) IPv6(addresses []Address, now, started time.Time) (ip netip.Addr, until time.Time) {
	if !n.Cluster.PodCIDR.IPv6().IsValid() {
		return netip.Addr{}, time.Time{}
	}
	first := slices.IndexFunc(addresses, func(a Address) bool { return a.Addr == n.Current })
	if first < 0 {
		return n.CurrentIPv6, time.Time{}
	}
	var candidates []netip.Addr
	for _, a := range addresses {
		if a.Interface == addresses[first].Interface && a.Addr.Is6() && a.Addr.IsGlobalUnicast() &&
			!n.Cluster.PodCIDR.Contains(a.Addr) && !n.Cluster.ServiceCIDR.Contains(a.Addr) {
			candidates = append(candidates, a.Addr)
		}
	}
	if len(candidates) > 0 && !slices.Contains(candidates, n.CurrentIPv6) {
		n.CurrentIPv6 = candidates[0]
	}
	if grace := started.Add(addressGrace); !n.CurrentIPv6.IsValid() && now.Before(grace) {
		return netip.Addr{}, grace
	}
	return n.CurrentIPv6, time.Time{}
}
