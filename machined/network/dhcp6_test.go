package network

import (
	"encoding/binary"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/insomniacslk/dhcp/rfc1035label"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/machined/config/types"
)

var (
	serverDUID = &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	exchange6  = dhcp6Exchange{mac: net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}}
)

// reply is a DHCPv6 server's answer to us, without an address.
func reply(options ...dhcpv6.Option) *dhcpv6.Message {
	m := &dhcpv6.Message{MessageType: dhcpv6.MessageTypeReply}
	m.AddOption(dhcpv6.OptClientID(exchange6.duid()))
	m.AddOption(dhcpv6.OptServerID(serverDUID))
	for _, o := range options {
		m.AddOption(o)
	}
	return m
}

// granted is an address in an answer.
func granted(t1, t2 time.Duration, options ...dhcpv6.Option) *dhcpv6.OptIANA {
	ia := &dhcpv6.OptIANA{IaId: [4]byte{0, 0, 0, 1}, T1: t1, T2: t2}
	for _, o := range options {
		ia.Options.Add(o)
	}
	return ia
}

func iaAddress(ip string, preferred, valid time.Duration) *dhcpv6.OptIAAddress {
	return &dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP(ip), PreferredLifetime: preferred, ValidLifetime: valid}
}

func status(code iana.StatusCode, text string) *dhcpv6.OptStatusCode {
	return &dhcpv6.OptStatusCode{StatusCode: code, StatusMessage: text}
}

func TestParseLease6(t *testing.T) {
	const now = 100 * time.Second
	base := func(change func(*lease)) *lease {
		l := &lease{Address: pfx("2001:db8::7/128"), ServerID: serverDUID.ToBytes(), Acquired: now,
			Renew: 20 * time.Minute, Rebind: 32 * time.Minute, Lifetime: time.Hour}
		change(l)
		return l
	}
	good := iaAddress("2001:db8::7", 40*time.Minute, time.Hour)
	const infinite = time.Duration(0xffffffff) * time.Second
	tests := []struct {
		name      string
		message   *dhcpv6.Message
		stateless bool
		want      *lease
		err       string
	}{
		{"the least", reply(granted(0, 0, good)), false, base(func(*lease) {}), ""},
		{"times of its own", reply(granted(time.Minute, 2*time.Minute, good)), false, base(func(l *lease) { l.Renew, l.Rebind = time.Minute, 2*time.Minute }), ""},
		{"times in the wrong order", reply(granted(2*time.Minute, time.Minute, good)), false, base(func(l *lease) { l.Renew, l.Rebind = 30*time.Minute, 3150*time.Second }), ""},
		{"for ever", reply(granted(infinite, infinite, iaAddress("2001:db8::7", infinite, infinite))), false, base(func(l *lease) { l.Renew, l.Rebind, l.Lifetime = 0, 0, 0 }), ""},
		{"the first that can be had", reply(granted(0, 0, iaAddress("fe80::1", time.Hour, time.Hour), iaAddress("2001:db8::6", 0, 0), iaAddress("ff02::1", time.Hour, time.Hour), good)), false, base(func(*lease) {}), ""},
		{"nameservers and search domains", reply(granted(0, 0, good), dhcpv6.OptDNS(net.ParseIP("2001:db8::53"), net.ParseIP("::"), net.ParseIP("fe80::53")),
			dhcpv6.OptDomainSearchList(labels("Example.org", "a\nb"))), false,
			base(func(l *lease) {
				l.Nameservers, l.Search = []netip.Addr{addr("2001:db8::53")}, []string{"example.org"}
			}), ""},
		{"stateless", reply(dhcpv6.OptDNS(net.ParseIP("2001:db8::53"))), true, &lease{ServerID: serverDUID.ToBytes(), Acquired: now, Nameservers: []netip.Addr{addr("2001:db8::53")},
			Renew: 24 * time.Hour, Rebind: 36 * time.Hour, Lifetime: 48 * time.Hour}, ""},
		{"stateless, fresh for a second", reply(dhcpv6.OptInformationRefreshTime(time.Second)), true, &lease{ServerID: serverDUID.ToBytes(), Acquired: now,
			Renew: 10 * time.Minute, Rebind: 15 * time.Minute, Lifetime: 20 * time.Minute}, ""},
		{"no addresses left", reply(granted(0, 0, status(iana.StatusNoAddrsAvail, "none\nleft"))), false, nil, "the DHCP server refused: NoAddrsAvail (noneleft)"},
		{"refused as a whole", reply(status(iana.StatusUnspecFail, "")), false, nil, "the DHCP server refused: UnspecFail"},
		{"no IA", reply(), false, nil, "gives no address"},
		{"no address", reply(granted(0, 0)), false, nil, "gives no address that a machine can have"},
		{"IPv4 in disguise", reply(granted(0, 0, iaAddress("192.0.2.1", time.Hour, time.Hour))), false, nil, "gives no address that a machine can have"},
		{"an anonymous server", with(reply(granted(0, 0, good)), func(m **dhcpv6.Message) { (*m).Options.Del(dhcpv6.OptionServerID) }), false, nil, "does not say who it is"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, err := dhcpv6.MessageFromBytes(test.message.ToBytes()) // as it comes over the wire
			if err != nil {
				t.Fatal(err)
			}
			got, err := parseLease6(m, now, test.stateless)
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

// TestMessage6: what is asked can be read by a server, and is about us.
func TestMessage6(t *testing.T) {
	l := &lease{Address: pfx("2001:db8::7/128"), ServerID: serverDUID.ToBytes()}
	m, err := exchange6.message(dhcpv6.MessageTypeRenew, l, l.ServerID)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = dhcpv6.MessageFromBytes(m.ToBytes()); err != nil {
		t.Fatal(err)
	}
	ia := m.Options.OneIANA()
	if !exchange6.isToUs(m) || !m.Options.ServerID().Equal(serverDUID) || ia == nil || ia.IaId != [4]byte{0, 0, 0, 1} || !ia.Options.OneAddress().IPv6Addr.Equal(net.ParseIP("2001:db8::7")) {
		t.Errorf("%s", m.Summary())
	}
	other := dhcp6Exchange{mac: net.HardwareAddr{0x52, 0x54, 0, 0, 0, 2}}
	if other.isToUs(m) {
		t.Error("an answer to another machine is taken for ours")
	}
}

func FuzzParseLease6(f *testing.F) {
	f.Add(reply(granted(0, 0, iaAddress("2001:db8::7", time.Hour, time.Hour)), dhcpv6.OptDNS(net.ParseIP("2001:db8::53"))).ToBytes())
	f.Add(reply(status(iana.StatusNotOnLink, "no"), dhcpv6.OptDomainSearchList(labels("a.example"))).ToBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := dhcpv6.MessageFromBytes(b)
		if err != nil {
			return
		}
		exchange6.isReply(m)
		for _, stateless := range []bool{false, true} {
			l, err := parseLease6(m, 0, stateless)
			if err != nil {
				continue
			}
			if l.Address.IsValid() == stateless || l.Lifetime < 0 || l.Lifetime > 0 && !(0 < l.Renew && l.Renew <= l.Rebind && l.Rebind <= l.Lifetime) {
				t.Errorf("stateless %v: %+v", stateless, l)
			}
			if conf := resolvConf(l.Nameservers, l.Search); strings.Count(conf, "\n") > 5 {
				t.Errorf("resolv.conf %q", conf)
			}
			if _, err := exchange6.message(dhcpv6.MessageTypeRenew, l, l.ServerID); err != nil {
				t.Errorf("server %x cannot be named: %v", l.ServerID, err)
			}
		}
	})
}

func TestHostName(t *testing.T) {
	for given, want := range map[string]string{
		"Edge-7": "edge-7", "edge.example.org.": "edge.example.org", "": "", "localhost": "", "a_b": "", "a b": "", "-a": "", "a\nb": "",
		"192.0.2.1": "", "7": "", strings.Repeat("a", 64): "", strings.Repeat("a", 63): strings.Repeat("a", 63), "7a": "7a",
	} {
		if got := hostName(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func TestDHCP6ModeFor(t *testing.T) {
	for _, test := range []struct {
		ipv6  types.IPv6
		flags uint32
		want  dhcp6Mode
	}{
		{types.IPv6Auto, 0, dhcp6Off}, {types.IPv6Auto, advertisedOther, dhcp6Stateless}, {types.IPv6Auto, advertisedManaged, dhcp6Stateful},
		{types.IPv6Auto, advertisedManaged | advertisedOther, dhcp6Stateful}, {types.IPv6DHCP, 0, dhcp6Stateful},
		{types.IPv6Off, advertisedManaged, dhcp6Off}, {"", advertisedOther, dhcp6Stateless},
	} {
		if got := dhcp6ModeFor(&types.Interface{IPv6: test.ipv6}, test.flags); got != test.want {
			t.Errorf("%s with flags %#x: %v, want %v", test.ipv6, test.flags, got, test.want)
		}
	}
}

func TestReadAdvertised(t *testing.T) {
	head := nl.NewIfInfomsg(unix.AF_INET6)
	head.Index = 7
	protinfo := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	protinfo.AddRtAttr(unix.IFLA_INET6_FLAGS, binary.NativeEndian.AppendUint32(nil, advertisedManaged|0x20))
	whole := append(head.Serialize(), protinfo.Serialize()...)
	if index, flags, ok := readAdvertised(whole); !ok || index != 7 || flags != advertisedManaged|0x20 {
		t.Errorf("%d, %#x, %v", index, flags, ok)
	}
	for n := range whole { // cut off
		if _, _, ok := readAdvertised(whole[:n]); ok {
			t.Errorf("the first %d bytes are taken for all", n)
		}
	}
}

func labels(names ...string) *rfc1035label.Labels { return &rfc1035label.Labels{Labels: names} }
