package network

import (
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// ack is an answer of a server at 192.0.2.1 to a machine at 192.0.2.7/24.
func ack(modifiers ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{
		dhcpv4.WithMessageType(dhcpv4.MessageTypeAck), dhcpv4.WithYourIP(net.IPv4(192, 0, 2, 7)),
		dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithServerIP(net.IPv4(192, 0, 2, 1)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(192, 0, 2, 1))), dhcpv4.WithLeaseTime(3600),
	}, modifiers...)...)
	if err != nil {
		panic(err)
	}
	return m
}

func addr(s string) netip.Addr  { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func prefixes(s ...string) (p []netip.Prefix) {
	for _, x := range s {
		p = append(p, pfx(x))
	}
	return p
}

func TestParseLease(t *testing.T) {
	const now = 100 * time.Second
	seconds := func(n uint32) []byte { return []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)} }
	base := func(change func(*lease)) *lease {
		l := &lease{Address: pfx("192.0.2.7/24"), Server: addr("192.0.2.1"), Acquired: now,
			Renew: 30 * time.Minute, Rebind: 3150 * time.Second, Lifetime: time.Hour}
		change(l)
		return l
	}
	tests := []struct {
		name string
		ack  *dhcpv4.DHCPv4
		want *lease
		err  string
	}{
		{"the least", ack(), base(func(*lease) {}), ""},
		{"router, names, time, MTU", ack(
			dhcpv4.WithRouter(net.IPv4(192, 0, 2, 1), net.IPv4(192, 0, 2, 2)), dhcpv4.WithDNS(net.IPv4(192, 0, 2, 53), net.IPv4zero),
			dhcpv4.WithOption(dhcpv4.OptNTPServers(net.IPv4(192, 0, 2, 123))), dhcpv4.WithOption(dhcpv4.OptDomainName("Example.org")),
			dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{0x05, 0x78})),
			base(func(l *lease) {
				l.Routes = []leaseRoute{{pfx("0.0.0.0/0"), addr("192.0.2.1")}}
				l.Nameservers, l.NTPServers, l.Search = []netip.Addr{addr("192.0.2.53")}, []netip.Addr{addr("192.0.2.123")}, []string{"example.org"}
				l.MTU = 1400
			}), ""},
		{"a host name", ack(dhcpv4.WithOption(dhcpv4.OptHostName("Edge-9"))), base(func(l *lease) { l.Hostname = "edge-9" }), ""},
		{"a host name that is none", ack(dhcpv4.WithOption(dhcpv4.OptHostName("a\nb"))), base(func(*lease) {}), ""},
		{"classless routes replace the router", ack(dhcpv4.WithRouter(net.IPv4(192, 0, 2, 1)),
			dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{
				0, 192, 0, 2, 254, // default
				8, 10, 192, 0, 2, 253, // 10/8
				8, 10, 192, 0, 2, 252, // and again
				24, 198, 51, 100, 0, 0, 0, 0, // on the link
				16, 172, 16, 224, 0, 0, 1, // via multicast: nonsense
			})),
			base(func(l *lease) {
				l.Routes = []leaseRoute{{pfx("0.0.0.0/0"), addr("192.0.2.254")}, {pfx("10.0.0.0/8"), addr("192.0.2.253")}, {pfx("198.51.100.0/24"), netip.Addr{}}}
			}), ""},
		{"classless routes that cannot be read", ack(dhcpv4.WithRouter(net.IPv4(192, 0, 2, 1)), dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{33, 1})),
			base(func(l *lease) { l.Routes = []leaseRoute{{pfx("0.0.0.0/0"), addr("192.0.2.1")}} }), ""},
		{"for ever", ack(dhcpv4.WithLeaseTime(0xffffffff)), base(func(l *lease) { l.Lifetime, l.Renew, l.Rebind = 0, 0, 0 }), ""},
		{"times of its own", ack(dhcpv4.WithGeneric(dhcpv4.OptionRenewTimeValue, seconds(60)), dhcpv4.WithGeneric(dhcpv4.OptionRebindingTimeValue, seconds(120))),
			base(func(l *lease) { l.Renew, l.Rebind = time.Minute, 2*time.Minute }), ""},
		{"times in the wrong order", ack(dhcpv4.WithGeneric(dhcpv4.OptionRenewTimeValue, seconds(9999))), base(func(*lease) {}), ""},
		{"names that would break files", ack(dhcpv4.WithOption(dhcpv4.OptDomainName("a\nnameserver"))),
			base(func(*lease) {}), ""},
		{"a tiny MTU", ack(dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{0, 68})), base(func(*lease) {}), ""},
		{"no mask", ack(func(m *dhcpv4.DHCPv4) { m.DeleteOption(dhcpv4.OptionSubnetMask) }), base(func(*lease) {}), ""},
		{"a mask with a hole", ack(dhcpv4.WithNetmask(net.IPv4Mask(255, 0, 255, 0))), nil, "subnet mask"},
		{"no address", ack(dhcpv4.WithYourIP(net.IPv4zero)), nil, "no address for a machine"},
		{"a multicast address", ack(dhcpv4.WithYourIP(net.IPv4(224, 0, 0, 1))), nil, "no address for a machine"},
		{"an anonymous server", ack(func(m *dhcpv4.DHCPv4) { m.DeleteOption(dhcpv4.OptionServerIdentifier) }), nil, "option 54"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseLease(test.ack, now)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error is %v, want %q", err, test.err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, test.want)
			}
		})
	}
}

func TestNextStep(t *testing.T) {
	l := &lease{Acquired: 1000 * time.Second, Renew: 300 * time.Second, Rebind: 525 * time.Second, Lifetime: 600 * time.Second}
	forever := &lease{Acquired: 1000 * time.Second}
	tests := []struct {
		name string
		l    *lease
		age  time.Duration // seconds
		do   step
		wait time.Duration
	}{
		{"fresh", l, 0, renew, 300},
		{"before T1", l, 299, renew, 1},
		{"T1", l, 300, renew, 0},
		{"before T2", l, 524, renew, 0},
		{"T2", l, 525, rebind, 0},
		{"before the end", l, 599, rebind, 0},
		{"the end", l, 600, expire, 0},
		{"long after", l, 9999, expire, 0},
		{"for ever", forever, 999999, renew, 3600},
	}
	for _, test := range tests {
		if do, wait := nextStep(test.l, test.l.Acquired+test.age*time.Second); do != test.do || wait != test.wait*time.Second {
			t.Errorf("%s: %v in %v, want %v in %ds", test.name, do, wait, test.do, test.wait)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	l := &lease{Renew: 1000 * time.Second, Rebind: 1800 * time.Second, Lifetime: 2000 * time.Second}
	for _, test := range []struct {
		tried step
		now   time.Duration
		want  time.Duration
	}{
		{renew, 1000, 400}, {renew, 1700, 60}, {renew, 1790, 10}, {rebind, 1800, 100}, {rebind, 1950, 50},
	} {
		if got := retryAfter(l, test.tried, test.now*time.Second); got != test.want*time.Second {
			t.Errorf("%v at %d: %v, want %d s", test.tried, test.now, got, test.want)
		}
	}
	if got := retryAfter(l, rebind, 2001*time.Second); got <= 0 {
		t.Errorf("after the end: %v", got)
	}
}

func TestInherit(t *testing.T) {
	old := &lease{Address: pfx("192.0.2.7/24"), Routes: []leaseRoute{{defaultIPv4, addr("192.0.2.1")}}, Acquired: 1, Lifetime: 10}
	bare := &lease{Address: pfx("192.0.2.7/24"), Acquired: 5, Lifetime: 20}
	if got := bare.inherit(old); len(got.Routes) != 1 || got.Acquired != 5 || got.Lifetime != 20 {
		t.Errorf("a bare renewal: %+v", got)
	}
	moved := &lease{Address: pfx("192.0.2.8/24")}
	if got := moved.inherit(old); got != moved {
		t.Errorf("another address: %+v", got)
	}
}

func FuzzParseLease(f *testing.F) {
	f.Add(ack().ToBytes())
	f.Add(ack(dhcpv4.WithRouter(net.IPv4(192, 0, 2, 1)), dhcpv4.WithDNS(net.IPv4(192, 0, 2, 53)), dhcpv4.WithDomainSearchList("a.example", "b.example"),
		dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{0, 192, 0, 2, 254, 8, 10, 0, 0, 0, 0})).ToBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := dhcpv4.FromBytes(b)
		if err != nil {
			return
		}
		isAnswer(m)
		hostText(m.Message())
		l, err := parseLease(m, 0)
		if err != nil {
			return
		}
		if !l.Address.IsValid() || l.Address.Bits() < 1 || l.Lifetime < 0 || l.Lifetime > 0 && !(l.Renew <= l.Rebind && l.Rebind <= l.Lifetime) {
			t.Errorf("lease %+v", l)
		}
		for _, r := range l.Routes {
			if !r.To.IsValid() || r.To != r.To.Masked() {
				t.Errorf("route %+v", r)
			}
		}
		if conf := resolvConf(l.Nameservers, l.Search); strings.Count(conf, "\n") > 5 {
			t.Errorf("resolv.conf %q", conf)
		}
	})
}
