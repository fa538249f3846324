package network

import (
	"net/netip"
	"slices"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/state"
)

// State is how the machine is connected.
type State struct {
	Addresses    []Address         // of the interfaces that the config, or its absence, has us manage
	DefaultRoute DefaultRoute      // of IPv4
	Nameservers  []netip.Addr      // of the config, then of DHCP
	Search       []string          // DNS search domains, likewise
	NTPServers   []string          // that DHCP servers named
	Conditions   []state.Condition // what is wrong, in words; their Since is not set
}

// Address is an address of an interface.
type Address struct {
	Interface string
	Prefix    netip.Prefix
}

// DefaultRoute is where packets to elsewhere go; its zero value: nowhere.
type DefaultRoute struct {
	Interface string
	Via       netip.Addr // invalid: the network is on the link
}

// view is what is known of one interface that is managed.
type view struct {
	link      link
	settings  *types.Interface
	addresses []address
	lease     *lease
	asking    time.Duration // how long DHCP has been asked for without an answer; 0: it is not
	problem   string        // what DHCP or the kernel said
	changed   bool          // it was not as it should be
}

// ipv4 is whether the interface can be used for IPv4. An address stays when the cable is pulled.
func (v view) ipv4() bool {
	return v.link.Carrier && slices.ContainsFunc(v.addresses, func(a address) bool { return a.Prefix.Addr().Is4() })
}

// snapshot puts together the state. views are in the order of preference; others are interfaces that are wired but not
// managed; settled is whether drivers have had time to find their hardware.
func snapshot(config types.Network, views []view, others []link, route DefaultRoute, settled bool) State {
	s := State{DefaultRoute: route, Nameservers: slices.Clone(config.Nameservers), Search: slices.Clone(config.Search)}
	for _, v := range views {
		for _, a := range v.addresses {
			s.Addresses = append(s.Addresses, Address{v.link.Name, a.Prefix})
		}
		if l := v.lease; l != nil {
			s.Nameservers = union(s.Nameservers, l.Nameservers)
			s.Search = union(s.Search, l.Search)
			for _, a := range l.NTPServers {
				s.NTPServers = union(s.NTPServers, []string{a.String()})
			}
		}
	}
	s.Conditions = conditions(config, views, others, route, settled)
	return s
}

// union is a with what of b is not in it.
func union[T comparable](a, b []T) []T {
	for _, x := range b {
		if !slices.Contains(a, x) {
			a = append(a, x)
		}
	}
	return a
}
