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
	Hostname     string            // that a DHCP server gave the machine, fit for one and for a Kubernetes node; empty: none did
	NTPServers   []string          // that DHCP servers named
	WiFi         []WiFi            // of interfaces that the config has join a Wi-Fi network
	Conditions   []state.Condition // what is wrong, in words; their Since is not set
	Pending      bool              // it is from before the last [Manager.Configure], or there was none yet
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
	leases    leases
	asking    [families]time.Duration // how long DHCP has been asked without an answer; 0: it is not
	problem   string                  // what DHCP or the kernel said
	wifi      *WiFi                   // of an interface that is to join a Wi-Fi network
	joining   time.Duration           // how long it has not been in one; 0: it is
	changed   bool                    // it was not as it should be
}

// ipv4 is whether the interface can be used for IPv4. An address stays when the cable is pulled.
func (v view) ipv4() bool {
	return v.link.Carrier && slices.ContainsFunc(v.addresses, func(a address) bool { return a.Prefix.Addr().Is4() })
}

// nextWord is when there may be a word about its silence.
func (v view) nextWord() time.Duration {
	next := checkEvery
	for _, waited := range append(v.asking[:], v.joining) {
		if waited > 0 && waited < silence {
			next = min(next, silence-waited)
		}
	}
	return next
}

// look is what one look at the machine found.
type look struct {
	config  types.Network
	views   []view            // managed interfaces, in the order of preference
	members []link            // of bonds and bridges that the config makes
	others  []link            // physical interfaces that are not managed
	missing map[string]string // made interfaces: what they lack
	route   DefaultRoute
	settled bool // drivers have had time to find their hardware
}

// leave takes in an interface that is not managed.
func (k *look) leave(l link) {
	switch {
	case masterOf(k.config, l.Name) != nil:
		k.members = append(k.members, l)
	case l.Wired || l.Wireless:
		k.others = append(k.others, l)
	}
}

// state puts together the state.
func (k look) state() State {
	s := State{DefaultRoute: k.route, Nameservers: slices.Clone(k.config.Nameservers), Search: slices.Clone(k.config.Search)}
	for _, v := range k.views {
		for _, a := range v.addresses {
			s.Addresses = append(s.Addresses, Address{v.link.Name, a.Prefix})
		}
		if v.wifi != nil {
			s.WiFi = append(s.WiFi, *v.wifi)
		}
		for _, l := range []*lease{v.leases.v4, v.leases.v6} {
			if l == nil {
				continue
			}
			if s.Hostname == "" {
				s.Hostname = l.Hostname
			}
			s.Nameservers = union(s.Nameservers, l.Nameservers)
			s.Search = union(s.Search, l.Search)
			for _, a := range l.NTPServers {
				s.NTPServers = union(s.NTPServers, []string{a.String()})
			}
		}
	}
	s.Conditions = k.conditions()
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
