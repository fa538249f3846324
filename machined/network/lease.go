package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// lease is what a DHCP server granted, or a DHCPv6 server. Its times count from the machine's boot (CLOCK_BOOTTIME): the clock may be set
// while the lease runs, and machined may be restarted.
type lease struct {
	Address     netip.Prefix  `json:"address,omitzero"`   // not valid: DHCPv6 was asked for the rest only
	Hostname    string        `json:"hostname,omitempty"` // that the server gave the machine
	Server      netip.Addr    `json:"server,omitzero"`    // of DHCPv4
	ServerID    []byte        `json:"serverID,omitempty"` // of DHCPv6: its DUID
	Routes      []leaseRoute  `json:"routes,omitempty"`
	Nameservers []netip.Addr  `json:"nameservers,omitempty"`
	Search      []string      `json:"search,omitempty"`
	NTPServers  []netip.Addr  `json:"ntpServers,omitempty"`
	MTU         int           `json:"mtu,omitempty"` // 0: not said
	Acquired    time.Duration `json:"acquired"`      // since boot
	Renew       time.Duration `json:"renew"`         // T1, after Acquired
	Rebind      time.Duration `json:"rebind"`        // T2, after Acquired
	Lifetime    time.Duration `json:"lifetime"`      // after Acquired; 0: for ever
}

// leaseRoute is a route that came with a lease. An invalid Via is a network that is on the link.
type leaseRoute struct {
	To  netip.Prefix `json:"to"`
	Via netip.Addr   `json:"via,omitzero"`
}

// ends is when the lease ends, since boot; ok is false for one without an end.
func (l *lease) ends() (at time.Duration, ok bool) { return l.Acquired + l.Lifetime, l.Lifetime != 0 }

// expired is whether the lease has ended at now.
func (l *lease) expired(now time.Duration) bool {
	end, ok := l.ends()
	return ok && now >= end
}

const (
	infiniteLease   = time.Duration(0xffffffff) * time.Second
	defaultLifetime = time.Hour // of a server that does not say, which RFC 2131 forbids
	maxRoutes       = 64
	maxServers      = 8
	minMTU          = 576 // RFC 791: every host takes that; less only breaks things
	maxMTU          = 65535
)

// wanted are the options that are asked for.
var wanted = []dhcpv4.OptionCode{
	dhcpv4.OptionSubnetMask, dhcpv4.OptionClasslessStaticRoute, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer,
	dhcpv4.OptionHostName, dhcpv4.OptionDomainName, dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionInterfaceMTU,
	dhcpv4.OptionNTPServers, dhcpv4.OptionIPAddressLeaseTime, dhcpv4.OptionRenewTimeValue, dhcpv4.OptionRebindingTimeValue,
}

// parseLease reads the lease in a DHCPACK that came at now since boot. It trusts nothing: what it returns can be given to the
// kernel and written to files.
func parseLease(ack *dhcpv4.DHCPv4, now time.Duration) (*lease, error) {
	address, ok := unicast(ack.YourIPAddr)
	if !ok {
		return nil, fmt.Errorf("the DHCP server offers %v, which is no address for a machine", ack.YourIPAddr)
	}
	mask := ack.SubnetMask()
	if mask == nil {
		mask = net.IP(address.AsSlice()).DefaultMask()
	}
	bits, size := mask.Size()
	if size != 32 || bits == 0 {
		return nil, fmt.Errorf("the DHCP server says that the subnet mask is %v", mask)
	}
	server, ok := unicast(ack.ServerIdentifier())
	if !ok {
		return nil, errors.New("the DHCP server does not say who it is (option 54)")
	}
	l := &lease{
		Address: netip.PrefixFrom(address, bits), Server: server,
		Nameservers: servers(ack.DNS()), NTPServers: servers(ack.NTPServers()), Search: search(ack),
		Acquired: now, Hostname: hostName(ack.HostName()),
	}
	l.Routes = routes(ack)
	if b := ack.Options.Get(dhcpv4.OptionInterfaceMTU); len(b) == 2 {
		if mtu := int(b[0])<<8 | int(b[1]); mtu >= minMTU && mtu <= maxMTU {
			l.MTU = mtu
		}
	}
	setTimes(l, ack)
	return l, nil
}

// setTimes sets the times of RFC 2131, section 4.4.5.
func setTimes(l *lease, ack *dhcpv4.DHCPv4) {
	l.Lifetime = ack.IPAddressLeaseTime(defaultLifetime)
	if l.Lifetime == infiniteLease {
		l.Lifetime = 0
		return
	}
	l.Lifetime = max(l.Lifetime, time.Second)
	l.Renew = ack.IPAddressRenewalTime(l.Lifetime / 2)
	l.Rebind = ack.IPAddressRebindingTime(l.Lifetime / 8 * 7)
	l.mendTimes()
}

// mendTimes replaces times of renewal that make no sense.
func (l *lease) mendTimes() {
	if !(0 < l.Renew && l.Renew < l.Rebind && l.Rebind < l.Lifetime) {
		l.Renew, l.Rebind = l.Lifetime/2, l.Lifetime/8*7
	}
}

// routes are those of option 121, the first to each destination, or else the first router's (RFC 3442: who sends both
// means the former).
func routes(ack *dhcpv4.DHCPv4) []leaseRoute {
	var found []leaseRoute
	for _, r := range ack.ClasslessStaticRoute() {
		if r == nil || r.Dest == nil || len(found) == maxRoutes {
			continue
		}
		to, ok := netip.AddrFromSlice(r.Dest.IP.To4())
		bits, size := r.Dest.Mask.Size()
		if !ok || size != 32 {
			continue
		}
		route := leaseRoute{To: netip.PrefixFrom(to, bits).Masked()}
		if !r.Router.IsUnspecified() {
			if route.Via, ok = unicast(r.Router); !ok {
				continue
			}
		}
		if !slices.ContainsFunc(found, func(f leaseRoute) bool { return f.To == route.To }) {
			found = append(found, route)
		}
	}
	if len(found) > 0 {
		return found
	}
	for _, ip := range ack.Router() {
		if via, ok := unicast(ip); ok {
			return []leaseRoute{{To: defaultIPv4, Via: via}}
		}
	}
	return nil
}

var (
	defaultIPv4 = netip.MustParsePrefix("0.0.0.0/0")
	defaultIPv6 = netip.MustParsePrefix("::/0")
)

// unicast is ip as an IPv4 address that a machine may have.
func unicast(ip net.IP) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip.To4())
	return a, ok && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && a.As4()[0] < 240 && a.As4()[0] > 0
}

func servers(ips []net.IP) []netip.Addr {
	var found []netip.Addr
	for _, ip := range ips {
		if a, ok := unicast(ip); ok && len(found) < maxServers {
			found = append(found, a)
		}
	}
	return found
}

// search are the domains of option 119, or else that of option 15.
func search(ack *dhcpv4.DHCPv4) []string {
	var names []string
	if labels := ack.DomainSearch(); labels != nil {
		names = labels.Labels
	}
	if len(names) == 0 {
		names = strings.Split(ack.DomainName(), " ") // some servers put several there
	}
	return domains(names)
}

// domains are those of names that can be searched.
func domains(names []string) []string {
	var found []string
	for _, name := range names {
		if name = strings.TrimSuffix(name, "."); validDomain(name) && len(found) < maxServers {
			found = append(found, strings.ToLower(name))
		}
	}
	return found
}

// hostName is the name that a server gives the machine, when it can be a machine's and a Kubernetes node's; otherwise empty.
func hostName(given string) string {
	name := strings.ToLower(strings.TrimSuffix(given, "."))
	if !validDomain(name) || len(name) > maxHostName || strings.Contains(name, "_") || name == "localhost" || isNumber(name) {
		return ""
	}
	return name
}

// maxHostName is the length of the label kubernetes.io/hostname; the kernel's host name may have one byte more.
const maxHostName = 63

// isNumber is whether name could be taken for an IPv4 address.
func isNumber(name string) bool { return strings.Trim(name, "0123456789.") == "" }

// validDomain is whether name is a domain name of letters, digits, dashes and underscores. A line break in one would
// otherwise end up in resolv.conf.
func validDomain(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}
