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
	Interfaces   []Interface       // those that the config, or its absence, has us manage
	Addresses    []Address         // of all of them
	DefaultRoute DefaultRoute      // of IPv4
	Nameservers  []netip.Addr      // of the config, then of DHCP
	Search       []string          // DNS search domains, likewise
	Hostname     string            // that a DHCP server gave; may be empty
	NTPServers   []string          // that DHCP servers named
	Conditions   []state.Condition // what is wrong, in words; their Since is not set
}

// Interface is one interface.
type Interface struct {
	Name, MAC, Driver string
	Carrier           bool
	MTU               int
	Addresses         []netip.Prefix
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
}

// snapshot puts together the state. views are in the order of preference; others are interfaces that are wired but not
// managed; settled is whether drivers have had time to find their hardware.
func snapshot(config types.Network, views []view, others []link, route DefaultRoute, settled bool) State {
	s := State{DefaultRoute: route, Nameservers: slices.Clone(config.Nameservers), Search: slices.Clone(config.Search)}
	for _, v := range views {
		i := Interface{Name: v.link.Name, MAC: v.link.MAC, Driver: v.link.Driver, Carrier: v.link.Carrier, MTU: v.link.MTU}
		for _, a := range v.addresses {
			i.Addresses = append(i.Addresses, a.Prefix)
			s.Addresses = append(s.Addresses, Address{v.link.Name, a.Prefix})
		}
		s.Interfaces = append(s.Interfaces, i)
		if l := v.lease; l != nil {
			s.Nameservers = union(s.Nameservers, l.Nameservers)
			s.Search = union(s.Search, l.Search)
			for _, a := range l.NTPServers {
				s.NTPServers = union(s.NTPServers, []string{a.String()})
			}
			if s.Hostname == "" {
				s.Hostname = l.Hostname
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
