package config

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/coracle-os/coracle/machined/config/types"
)

func checkInterfaces(k *checker) {
	matches := map[[3]string]int{}
	addresses := map[netip.Addr]string{}
	routes := map[routeSlot]string{}
	for i, n := range k.Machine.Network.Interfaces {
		at := fmt.Sprintf("machine.network.interfaces[%d]", i)
		checkMatch(k, at, n)
		checkMetric(k, at, n)
		if n.WiFi != nil {
			checkWiFi(k, at+".wifi", *n.WiFi)
		}
		match := [3]string{n.Name, strings.ToLower(n.MAC), n.Driver}
		if first, seen := matches[match]; seen && match != [3]string{} {
			k.fail(at, "matches the same interfaces as machine.network.interfaces[%d]; put both into one", first)
		} else {
			matches[match] = i
		}
		// 68 and 1280 are what IPv4 (RFC 791) and IPv6 (RFC 8200) need; 65535 is the largest IP packet.
		if n.MTU != 0 && (n.MTU < 68 || n.MTU > 65535) {
			k.fail(at+".mtu", "%d is not between 68 and 65535", n.MTU)
		}
		for j, a := range n.Addresses {
			p := fmt.Sprintf("%s.addresses[%d]", at, j)
			checkAddress(k, p, a)
			if first, seen := addresses[a.Addr()]; seen && a.IsValid() {
				k.fail(p, "%s is at %s already", a.Addr(), first)
			}
			addresses[a.Addr()] = p
		}
		for j, r := range n.Routes {
			p := fmt.Sprintf("%s.routes[%d]", at, j)
			checkRoute(k, p, r)
			slot := slotOf(r)
			if first, seen := routes[slot]; seen && r.To.IsValid() {
				k.fail(p, "goes to %s with the metric of %s; give one of them another metric", r.To, first)
			} else {
				routes[slot] = p
			}
		}
	}
	checkMade(k)
}

// checkMetric checks the metric of routes from DHCP and router advertisements.
func checkMetric(k *checker, at string, n types.Interface) {
	switch {
	case !k.doc.Has(at + ".metric"):
	case n.Metric < 1 || n.Metric > 65535:
		k.fail(at+".metric", "%d is not between 1 and 65535", n.Metric)
	case !n.UseDHCP() && n.IPv6 == types.IPv6Off:
		k.fail(at+".metric", "has no effect without DHCP and IPv6; a static route has a metric of its own")
	}
}

// routeSlot is what the kernel has one route for, over all interfaces.
type routeSlot struct {
	to     netip.Prefix
	metric int
}

func slotOf(r types.Route) routeSlot {
	s := routeSlot{r.To.Masked(), r.Metric}
	if r.Metric == 0 && r.To.Addr().Is6() {
		s.metric = 1024 // what the kernel makes of it
	}
	return s
}

// checkMatch checks how an interface is found.
func checkMatch(k *checker, at string, n types.Interface) {
	if n.Name == "" && n.MAC == "" && n.Driver == "" {
		k.fail(at, "says no interface; set name, mac or driver")
	}
	if n.Name != "" {
		_, err := path.Match(n.Name, "")
		k.want(err == nil && fitsKernel(n.Name), at+".name", n.Name, "an interface name of at most 15 characters, or a pattern of one such as eth*")
	}
	if n.MAC != "" {
		mac, err := net.ParseMAC(n.MAC)
		k.want(err == nil && len(mac) == 6, at+".mac", n.MAC, "a MAC address such as 52:54:00:12:34:56")
	}
	if n.Driver != "" {
		k.want(moduleName.MatchString(n.Driver), at+".driver", n.Driver, "a driver's name such as virtio_net")
	}
}

// fitsKernel is whether name has the form of an interface's name or a pattern of one. IFNAMSIZ is 16 with the final zero; the
// kernel counts up a number for %d.
func fitsKernel(name string) bool {
	return name != "" && len(name) <= 15 && name != "." && name != ".." && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`/:%"\`, r)
	})
}

// checkAddress checks an address that an interface is to have.
func checkAddress(k *checker, at string, a netip.Prefix) {
	switch ip := a.Addr(); {
	case !a.IsValid():
	case ip.IsUnspecified(), ip.IsMulticast(), ip.IsLoopback():
		k.fail(at, "%s cannot be an interface's address", ip)
	case ip.Is4In6():
		k.fail(at, "write %s as IPv4", a)
	case ip.Is4() && a.Bits() < 31 && ip == a.Masked().Addr():
		k.fail(at, "%s is the network's own address; write the machine's, such as %s/%d", a, ip.Next(), a.Bits())
	case ip.Is4() && a.Bits() < 31 && ip == lastAddr(a):
		k.fail(at, "%s is the network's broadcast address", a)
	}
}

// lastAddr is the highest address of an IPv4 network.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}

func checkRoute(k *checker, at string, r types.Route) {
	switch {
	case !r.To.IsValid():
		if !k.doc.Has(at + ".to") {
			k.fail(at+".to", "is missing; the default route is 0.0.0.0/0")
		}
	case r.To != r.To.Masked():
		k.fail(at+".to", "%s has bits set after its prefix length; write %s", r.To, r.To.Masked())
	case r.Via.IsValid() && r.Via.Is4() != r.To.Addr().Is4():
		k.fail(at+".via", "%s cannot be the gateway to %s: one is IPv4, the other IPv6", r.Via, r.To)
	}
	if r.Via.IsValid() && (r.Via.IsUnspecified() || r.Via.IsMulticast() || r.Via.IsLoopback()) {
		k.fail(at+".via", "%s cannot be a gateway", r.Via)
	}
	if zone := r.Via.Zone(); zone != "" {
		k.fail(at+".via", "write %s, without %%%s: the route is one of this interface", r.Via.WithZone(""), zone)
	}
	if r.Metric < 0 {
		k.fail(at+".metric", "%d is negative", r.Metric)
	}
}

func checkResolver(k *checker) {
	for i, s := range k.Machine.Network.Nameservers {
		if s.IsUnspecified() || s.IsMulticast() {
			k.fail(fmt.Sprintf("machine.network.nameservers[%d]", i), "%s cannot be a nameserver", s)
		}
	}
	for i, s := range k.Machine.Network.Search {
		k.want(isDomain(s), fmt.Sprintf("machine.network.search[%d]", i), s, "a domain such as example.com")
	}
}

func checkTime(k *checker) {
	if len(k.Machine.Time.Servers) == 0 && !k.Machine.Time.Disabled {
		k.fail("machine.time.servers", "is empty; to leave the clock alone write disabled: true")
	}
	for i, s := range k.Machine.Time.Servers {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			host, port = strings.Trim(s, "[]"), "123"
		}
		_, ipErr := netip.ParseAddr(host)
		n, err := strconv.ParseUint(port, 10, 16)
		k.want((ipErr == nil || isDomain(host)) && err == nil && n > 0, fmt.Sprintf("machine.time.servers[%d]", i), s, "a time server such as pool.ntp.org or 192.0.2.1:123")
	}
}
