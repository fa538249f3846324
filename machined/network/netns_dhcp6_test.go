package network

import (
	"encoding/binary"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/server6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/state"
)

// server6World is a DHCPv6 server that does as it is told.
type server6World struct {
	mu      sync.Mutex
	address string // that it gives; empty: it is silent
	valid   time.Duration
	refuse  bool     // to extend leases
	asked   []string // kinds of messages
	changed chan struct{}
}

func (w *world) serve6(address string, valid time.Duration) *server6World {
	w.t.Helper()
	if !exists("/proc/sys/net/ipv6") {
		w.t.Skip("no IPv6 here")
	}
	s := &server6World{address: address, valid: valid, changed: make(chan struct{}, 1)}
	w.there(func() {
		served, err := server6.NewServer("peer0", nil, s.handle)
		if err != nil {
			w.t.Fatal(err)
		}
		go served.Serve()
		w.t.Cleanup(func() { served.Close() })
	})
	return s
}

func (s *server6World) handle(conn net.PacketConn, peer net.Addr, d dhcpv6.DHCPv6) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := d.(*dhcpv6.Message)
	s.asked = append(s.asked, m.MessageType.String())
	offer(s.changed, struct{}{})
	if s.address == "" {
		return
	}
	answer := dhcpv6.NewReplyFromMessage
	if m.MessageType == dhcpv6.MessageTypeSolicit {
		answer = dhcpv6.NewAdvertiseFromSolicit
	}
	r, err := answer(m, dhcpv6.WithServerID(serverDUID), dhcpv6.WithDNS(net.ParseIP("2001:db8::53")))
	if err != nil {
		return
	}
	given := granted(s.valid/4, s.valid/2, iaAddress(s.address, s.valid, s.valid))
	switch {
	case m.MessageType == dhcpv6.MessageTypeConfirm:
		code := iana.StatusSuccess
		if !m.Options.OneIANA().Options.OneAddress().IPv6Addr.Equal(net.ParseIP(s.address)) {
			code = iana.StatusNotOnLink
		}
		r.AddOption(status(code, ""))
	case s.refuse && (m.MessageType == dhcpv6.MessageTypeRenew || m.MessageType == dhcpv6.MessageTypeRebind):
		r.AddOption(granted(0, 0, status(iana.StatusNoBinding, "")))
	case m.MessageType != dhcpv6.MessageTypeInformationRequest:
		r.AddOption(given)
	}
	conn.WriteTo(r.ToBytes(), peer)
}

func (s *server6World) set(change func(*server6World)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
	s.asked = nil
}

// until waits until the server was asked that.
func (s *server6World) until(t *testing.T, what string) {
	t.Helper()
	for deadline := time.After(30 * time.Second); ; {
		s.mu.Lock()
		asked := slices.Clone(s.asked)
		s.mu.Unlock()
		if slices.Contains(asked, what) {
			return
		}
		select {
		case <-s.changed:
		case <-deadline:
			t.Fatalf("never asked %q, but %q", what, asked)
		}
	}
}

var dhcp6 = byName(func(i *types.Interface) { i.DHCP, i.IPv6 = new(false), types.IPv6DHCP })

func TestRealDHCPv6(t *testing.T) {
	w := newWorld(t)
	dhcpd := w.serve6("2001:db8::7", time.Hour)
	w.start(dhcp6)
	s := w.until("lease", has("2001:db8::7/128"))
	if !slices.Contains(s.Nameservers, addr("2001:db8::53")) {
		t.Errorf("state is %+v", s)
	}

	// The next machined has the lease confirmed.
	dhcpd.set(func(*server6World) {})
	w.start(dhcp6)
	dhcpd.until(t, "CONFIRM")
	w.until("lease", has("2001:db8::7/128"))

	// The cable is in another network now.
	dhcpd.set(func(s *server6World) { s.address, s.valid = "2001:db8:1::8", 8*time.Second })
	w.start(dhcp6)
	w.until("the new network's lease", func(s State) bool { return has("2001:db8:1::8/128")(s) && hasNot("2001:db8::7/128")(s) })

	// Renewed, taken back, given again.
	dhcpd.until(t, "RENEW")
	dhcpd.set(func(s *server6World) { s.refuse = true })
	w.until("no address", hasNot("2001:db8:1::8/128"))
	w.until("lease again", has("2001:db8:1::8/128"))

	// The server falls silent: the lease ends.
	dhcpd.set(func(s *server6World) { s.address = "" })
	dhcpd.until(t, "REBIND")
	w.until("no address", hasNot("2001:db8:1::8/128"))
	w.until("a word", func(s State) bool {
		return slices.ContainsFunc(s.Conditions, func(c state.Condition) bool { return c.ID == "network.dhcp6.eth0" })
	})

	w.manager.Configure(byName(func(i *types.Interface) { i.Addresses, i.IPv6 = prefixes("192.0.2.9/24"), types.IPv6Off }), "edge7")
	w.until("no word", func(s State) bool { return has("192.0.2.9/24")(s) && len(s.Nameservers) == 0 })
}

// Flags of a router advertisement as it is sent; the kernel keeps them in other bits.
const (
	managedFlag = 0x80
	otherFlag   = 0x40
)

// advertise sends a router advertisement (RFC 4861, section 4.2) from the peer, with those flags and options.
func (w *world) advertise(flags byte, options ...byte) {
	w.t.Helper()
	w.there(func() {
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
		if err != nil {
			w.t.Fatal(err)
		}
		defer unix.Close(fd)
		l, err := netlink.LinkByName("peer0")
		if err != nil {
			w.t.Fatal(err)
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255); err != nil {
			w.t.Fatal(err)
		}
		message := []byte{134, 0, 0, 0, 64, flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} // the kernel does the checksum
		binary.BigEndian.PutUint16(message[6:], 1800)                            // seconds
		message = append(message, options...)
		to := &unix.SockaddrInet6{ZoneId: uint32(l.Attrs().Index), Addr: addr("ff02::1").As16()}
		if err := unix.Sendto(fd, message, 0, to); err != nil {
			w.t.Error(err)
		}
	})
}

// prefixOption has machines take addresses of a /64 for an hour (RFC 4861, section 4.6.2).
func prefixOption(network string) []byte {
	const onLink, autonomous, hour = 0x80, 0x40, 3600
	option := []byte{3, 4, 64, onLink | autonomous}
	option = binary.BigEndian.AppendUint32(option, hour)
	option = binary.BigEndian.AppendUint32(option, hour)
	option = append(option, 0, 0, 0, 0)
	a := addr(network).As16()
	return append(option, a[:]...)
}

// TestRealIPv6Off: what routers have given is gone once only static addresses are wanted, and stays away.
func TestRealIPv6Off(t *testing.T) {
	w := newWorld(t)
	if !exists("/proc/sys/net/ipv6") {
		t.Skip("no IPv6 here")
	}
	static := func(mode types.IPv6) types.Network {
		return byName(func(i *types.Interface) { i.Addresses, i.IPv6 = prefixes("192.0.2.9/24", "2001:db8::9/64"), mode })
	}
	ofRouter := func(s State) bool {
		return slices.ContainsFunc(s.Addresses, func(a Address) bool { return pfx("2001:db8:5::/64").Contains(a.Prefix.Addr()) })
	}
	w.start(static(types.IPv6Auto))
	w.until("static addresses", has("2001:db8::9/64"))
	w.there(func() {
		w.kernelUntil("the router's link-local address", func() bool { l, there := linkNamed("peer0"); return there && linkLocal(l.Index) != nil })
	})
	w.advertise(0, prefixOption("2001:db8:5::")...)
	w.until("the router's address", ofRouter)

	w.manager.Configure(static(types.IPv6Off), "edge7")
	w.until("static addresses only", func(s State) bool { return !ofRouter(s) && has("2001:db8::9/64")(s) && has("192.0.2.9/24")(s) })
	w.advertise(0, prefixOption("2001:db8:5::")...)
	w.kernelUntil("no default route", func() bool {
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_V6, &netlink.Route{Protocol: unix.RTPROT_RA}, netlink.RT_FILTER_PROTOCOL)
		return err == nil && len(routes) == 0
	})
	w.manager.Configure(static(types.IPv6Auto), "edge7")
	w.until("static addresses", has("2001:db8::9/64"))
	w.kernelUntil("the router's address again", func() bool {
		w.advertise(0, prefixOption("2001:db8:5::")...)
		s, _ := w.manager.State()
		return ofRouter(s)
	})
}

func TestRealRouterAdvertisement(t *testing.T) {
	w := newWorld(t)
	dhcpd := w.serve6("2001:db8::7", time.Hour)
	w.start(byName(func(i *types.Interface) { i.DHCP, i.Metric = new(false), 50 }))
	ready := func(name string) func() bool {
		return func() bool { l, there := linkNamed(name); return there && linkLocal(l.Index) != nil }
	}
	w.kernelUntil("link-local address", ready("eth0"))
	w.there(func() { w.kernelUntil("the router's link-local address", ready("peer0")) })

	w.advertise(0)
	w.kernelUntil("default route", func() bool {
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_V6, &netlink.Route{Protocol: unix.RTPROT_RA, Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
		return err == nil && slices.ContainsFunc(routes, func(r netlink.Route) bool {
			return fromKernel(r, netlink.FAMILY_V6).To == defaultIPv6 && r.Priority == ipv6Metric+50
		})
	})
	w.advertise(otherFlag)
	w.until("nameserver", func(s State) bool { return slices.Contains(s.Nameservers, addr("2001:db8::53")) })
	dhcpd.until(t, "INFORMATION-REQUEST")
	if s, _ := w.manager.State(); has("2001:db8::7/128")(s) {
		t.Errorf("an address, although the router says there is none: %+v", s)
	}
	w.advertise(managedFlag)
	w.until("lease", has("2001:db8::7/128"))
	dhcpd.until(t, "REQUEST")
	b, err := os.ReadFile(w.manager.resolvConf)
	if err != nil || !strings.Contains(string(b), "nameserver 2001:db8::53\n") {
		t.Errorf("resolv.conf: %q, %v", b, err)
	}
}
