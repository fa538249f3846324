package types

import "net/netip"

// Network is how the machine is connected.
type Network struct {
	Interfaces  []Interface  `yaml:"interfaces"`  // none: DHCP and SLAAC on every wired interface
	Nameservers []netip.Addr `yaml:"nameservers"` // asked before those of DHCP
	Search      []string     `yaml:"search"`      // DNS search domains
}

// Interface configures the interfaces that match every one of Name, MAC and Driver that is set.
type Interface struct {
	Name      string         `yaml:"name"`                                // such as eth0; may hold * and ? as in a shell
	MAC       string         `yaml:"mac"`                                 // such as 52:54:00:12:34:56
	Driver    string         `yaml:"driver"`                              // kernel driver such as virtio_net
	DHCP      *bool          `yaml:"dhcp"`                                // default: true when Addresses is empty
	Addresses []netip.Prefix `yaml:"addresses"`                           // address with prefix length: 192.0.2.7/24
	Routes    []Route        `yaml:"routes"`                              //
	MTU       int            `yaml:"mtu"`                                 // bytes; 0: the driver's, or what DHCP says
	IPv6      IPv6           `yaml:"ipv6" enum:"auto|off" default:"auto"` //
}

// UseDHCP is whether the interface asks for an IPv4 address.
func (i Interface) UseDHCP() bool {
	if i.DHCP != nil {
		return *i.DHCP
	}
	return len(i.Addresses) == 0
}

// IPv6 is how an interface gets IPv6 addresses.
type IPv6 string

const (
	IPv6Auto IPv6 = "auto" // SLAAC from router advertisements
	IPv6Off  IPv6 = "off"  // none but those that are in addresses
)

// Route is a static route.
type Route struct {
	To     netip.Prefix `yaml:"to"`     // 0.0.0.0/0 or ::/0 is the default route
	Via    netip.Addr   `yaml:"via"`    // gateway; empty: on link
	Metric int          `yaml:"metric"` // lower wins; 0: the kernel's default
}
