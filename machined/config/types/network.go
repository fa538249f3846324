package types

import "net/netip"

// Network is how the machine is connected.
type Network struct {
	// The interfaces, and how each is configured. When set, only those that an entry matches are configured. Default: DHCP and
	// IPv6 autoconfiguration on every wired interface.
	Interfaces []Interface `yaml:"interfaces"`
	// DNS servers, asked before those of DHCP; at most 3 are used. Default: those of DHCP.
	Nameservers []netip.Addr `yaml:"nameservers" example:"192.0.2.53,2001:db8::53"`
	// DNS search domains, before those of DHCP; at most 6 are used. Default: those of DHCP.
	Search []string `yaml:"search" example:"plant.example.com"`
	Proxy  Proxy    `yaml:"proxy" applies:"kube"`
}

// Proxy is the web proxy through which container images and manifests are fetched.
type Proxy struct {
	// URL of the proxy for http:// addresses; user name and password may be in it.
	HTTP string `yaml:"http" secret:"true" example:"http://proxy.example.com:3128"`
	// URL of the proxy for https:// addresses; user name and password may be in it.
	HTTPS string `yaml:"https" secret:"true" example:"http://proxy.example.com:3128"`
	// What is reached without the proxy, besides localhost, the node, the networks of pods and Services, .svc and the cluster's
	// domain: host names, domains with all that is below them (.example.com), addresses and networks.
	NoProxy []string `yaml:"noProxy" example:"registry.local,.plant.example.com,192.168.0.0/16"`
}

// Interface configures the interfaces that match every one of Name, MAC and Driver that is set. With VLAN, Bond or Bridge it is
// made, under Name.
type Interface struct {
	// Name of the interface, or a pattern with * and ?; at most 15 characters. At least one of name, mac and driver is set, and all
	// that are must match.
	Name string `yaml:"name" example:"eth0"`
	// MAC address of the interface.
	MAC string `yaml:"mac" example:"52:54:00:12:34:56"`
	// Kernel driver of the interface.
	Driver string `yaml:"driver" example:"virtio_net"`

	// Make the interface: a VLAN of another one.
	VLAN *VLAN `yaml:"vlan"`
	// Make the interface: several that work as one.
	Bond *Bond `yaml:"bond"`
	// Make the interface: an Ethernet bridge.
	Bridge *Bridge `yaml:"bridge"`
	// Join a Wi-Fi network with this interface.
	WiFi *WiFi `yaml:"wifi"`

	// Get an IPv4 address, routes, nameservers and a host name by DHCP. Default: true if addresses is empty.
	DHCP *bool `yaml:"dhcp" example:"true"`
	// Static addresses with prefix length.
	Addresses []netip.Prefix `yaml:"addresses" example:"192.0.2.7/24,2001:db8::7/64"`
	// Static routes out of the interface.
	Routes []Route `yaml:"routes"`
	// Metric of the default route and other routes from DHCP; the lower wins, and while an interface has no carrier the next does.
	// IPv6 routes from router advertisements have 1024 more. Default: 100 for wired interfaces, 600 for Wi-Fi, and one more for each
	// interface before it.
	Metric int `yaml:"metric" example:"50"`
	// Size of the largest packet, in bytes, 68 to 65535. Default: the driver's, or what DHCP says.
	MTU int `yaml:"mtu" example:"9000"`
	// How IPv6 addresses come. auto: from router advertisements (SLAAC), and from DHCPv6 when they say so. dhcp: from router
	// advertisements, and DHCPv6 is asked in any case. off: only those in addresses.
	IPv6 IPv6 `yaml:"ipv6" enum:"auto|dhcp|off" default:"auto" example:"dhcp"`
}

// UseDHCP is whether the interface asks for an IPv4 address.
func (i Interface) UseDHCP() bool {
	if i.DHCP != nil {
		return *i.DHCP
	}
	return len(i.Addresses) == 0
}

// Made is whether Coracle makes the interface.
func (i Interface) Made() bool { return i.VLAN != nil || i.Bond != nil || i.Bridge != nil }

// Members are the interfaces that are part of this one, and have no addresses of their own.
func (i Interface) Members() []string {
	switch {
	case i.Bond != nil:
		return i.Bond.Members
	case i.Bridge != nil:
		return i.Bridge.Members
	}
	return nil
}

// IPv6 is how an interface gets IPv6 addresses.
type IPv6 string

const (
	IPv6Auto IPv6 = "auto" // SLAAC and DHCPv6, as router advertisements say
	IPv6DHCP IPv6 = "dhcp" // the same, but DHCPv6 is always asked
	IPv6Off  IPv6 = "off"  // none but those that are in addresses
)

// Route is a static route.
type Route struct {
	// Destination; 0.0.0.0/0 and ::/0 are the default routes.
	To netip.Prefix `yaml:"to" required:"true" example:"0.0.0.0/0"`
	// Gateway; a link-local one without its zone (fe80::1). Default: the destination is on the link.
	Via netip.Addr `yaml:"via" example:"192.0.2.1"`
	// The lower wins. Routes to the same destination have different ones, over all interfaces. 0 is 1024 for IPv6.
	Metric int `yaml:"metric" default:"0" example:"10"`
}
