package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
)

const (
	defaultRefresh = 24 * time.Hour // RFC 8415, section 21.23
	minRefresh     = 10 * time.Minute
	maxRefresh     = 7 * 24 * time.Hour
	maxDUID        = 130 // bytes; RFC 8415, section 11.1
)

// parseLease6 reads the lease in a DHCPv6 message, a Reply or Advertise, that came at now since boot; stateless: to an
// Information-request, so without an address. It trusts nothing, as parseLease.
func parseLease6(m *dhcpv6.Message, now time.Duration, stateless bool) (*lease, error) {
	if err := refused(m.Options.Status()); err != nil {
		return nil, err
	}
	server := m.Options.ServerID()
	if server == nil || len(server.ToBytes()) > maxDUID {
		return nil, errors.New("the DHCPv6 server does not say who it is")
	}
	l := &lease{ServerID: server.ToBytes(), Nameservers: servers6(m.Options.DNS()), Acquired: now}
	if labels := m.Options.DomainSearchList(); labels != nil {
		l.Search = domains(labels.Labels)
	}
	l.NTPServers = servers6(append(m.Options.NTPServers(), m.Options.SNTP()...))
	if stateless {
		// Twice as long as it is fresh: a server that fails for a while takes no nameservers away.
		l.Renew = min(max(m.Options.InformationRefreshTime(defaultRefresh), minRefresh), maxRefresh)
		l.Rebind, l.Lifetime = l.Renew/2*3, 2*l.Renew
		return l, nil
	}
	return l, l.takeAddress(m.Options.OneIANA())
}

// takeAddress takes the first address that can be one, and its times.
func (l *lease) takeAddress(ia *dhcpv6.OptIANA) error {
	if ia == nil {
		return errors.New("the DHCPv6 server gives no address")
	}
	if err := refused(ia.Options.Status()); err != nil {
		return err
	}
	for _, option := range ia.Options.Get(dhcpv6.OptionIAAddr) {
		given, ok := option.(*dhcpv6.OptIAAddress)
		if !ok || given.ValidLifetime <= 0 {
			continue
		}
		ip, ok := unicast6(given.IPv6Addr)
		if !ok {
			continue
		}
		l.Address, l.Lifetime = netip.PrefixFrom(ip, 128), given.ValidLifetime
		if l.Lifetime == infiniteLease {
			l.Lifetime = 0
			return nil
		}
		l.Renew, l.Rebind = ia.T1, ia.T2
		if l.Renew == 0 && l.Rebind == 0 { // up to us; RFC 8415, section 14.2
			preferred := min(given.PreferredLifetime, given.ValidLifetime)
			l.Renew, l.Rebind = preferred/2, preferred/5*4
		}
		l.mendTimes()
		return nil
	}
	return errors.New("the DHCPv6 server gives no address that a machine can have")
}

// refused is the error in a status.
func refused(s *dhcpv6.OptStatusCode) error {
	if s == nil || s.StatusCode == iana.StatusSuccess {
		return nil
	}
	if why := hostText(s.StatusMessage); why != "" {
		return fmt.Errorf("%w: %s (%s)", errRefused, s.StatusCode, why)
	}
	return fmt.Errorf("%w: %s", errRefused, s.StatusCode)
}

// unicast6 is ip as an IPv6 address that a machine may have from a server.
func unicast6(ip net.IP) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip)
	return a, ok && a.Is6() && !a.Is4In6() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !a.IsLinkLocalUnicast()
}

func servers6(ips []net.IP) []netip.Addr {
	var found []netip.Addr
	for _, ip := range ips {
		if a, ok := unicast6(ip); ok && len(found) < maxServers {
			found = append(found, a)
		}
	}
	return found
}
