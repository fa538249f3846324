package network

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// These tests run in a network namespace of their own: TestInNamespace runs this test program again in a new one, with
// inside set. There each test makes a pair of virtual interfaces: eth0, ours, and its peer in another namespace, where
// the server is.

const inside = "CORACLE_TEST_IN_NAMESPACE"

func TestInNamespace(t *testing.T) {
	if os.Getenv(inside) != "" {
		t.Skip("already there")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	c := exec.Command(os.Args[0], "-test.run=^TestReal", "-test.v")
	c.Env = append(os.Environ(), inside+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	out, err := c.CombinedOutput()
	if err != nil && strings.Contains(err.Error(), "operation not permitted") {
		t.Skipf("no namespaces here: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestRealDHCP") {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// world is eth0 and what is at the other end of its cable.
type world struct {
	t       *testing.T
	peer    netns.NsHandle
	manager *Manager
	dir     string
	stop    func()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("run by TestInNamespace")
	}
	// /sys shows the interfaces of the namespace that it was mounted in.
	unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	peer, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := netns.Set(own); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, peer: peer, dir: t.TempDir(), stop: func() {}}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "peer0", PeerNamespace: netlink.NsFd(peer)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.stop()
		if all, err := netlink.LinkList(); err == nil {
			for _, l := range all {
				netlink.LinkDel(l) // but for lo, which stays
			}
		}
		peer.Close()
		unix.Unmount("/sys", unix.MNT_DETACH)
	})
	w.there(func() {
		l, err := netlink.LinkByName("peer0")
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(pfx("192.0.2.1/24"))}); err != nil {
			t.Fatal(err)
		}
		w.plug(true)
	})
	return w
}

// there runs do in the peer's namespace.
func (w *world) there(do func()) {
	w.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := netns.Set(w.peer); err != nil {
			w.t.Error(err)
			return
		}
		do()
	}()
	<-done
}

// plug puts the cable in or out; to be called there.
func (w *world) plug(in bool) {
	l, err := netlink.LinkByName("peer0")
	if err == nil && in {
		err = netlink.LinkSetUp(l)
	} else if err == nil {
		err = netlink.LinkSetDown(l)
	}
	if err != nil {
		w.t.Error(err)
	}
}

// start runs a manager, the first one or the next after a restart.
func (w *world) start(config types.Network) {
	w.t.Helper()
	w.stop()
	w.manager = New(slog.New(slog.NewTextHandler(testWriter{w.t}, nil)))
	w.manager.runDir, w.manager.resolvConf = filepath.Join(w.dir, "run"), filepath.Join(w.dir, "resolv.conf")
	w.manager.Configure(config, "edge7")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.manager.Run(ctx); close(done) }()
	w.stop = func() { cancel(); <-done; w.stop = func() {} }
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", strings.TrimSpace(string(b)))
	return len(b), nil
}

// until waits for a state.
func (w *world) until(what string, is func(State) bool) State {
	w.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		s, changed := w.manager.State()
		if is(s) {
			return s
		}
		select {
		case <-changed:
		case <-deadline:
			w.t.Fatalf("not reached: %s; the state is %+v", what, s)
		}
	}
}

// linkUntil waits for eth0 to be so.
func (w *world) linkUntil(what string, is func(*netlink.LinkAttrs) bool) {
	w.t.Helper()
	w.kernelUntil(what, func() bool {
		l, err := netlink.LinkByName("eth0")
		return err == nil && is(l.Attrs())
	})
}

// kernelUntil waits until what the kernel has is so.
func (w *world) kernelUntil(what string, is func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			all, _ := links()
			s, _ := w.manager.State()
			w.t.Fatalf("not reached: %s; interfaces are %+v, the state is %+v", what, all, s)
		}
	}
}

func has(address string) func(State) bool {
	return func(s State) bool { return slices.Contains(s.Addresses, Address{"eth0", pfx(address)}) }
}

func hasNot(address string) func(State) bool {
	return func(s State) bool { return !has(address)(s) }
}

// byName is a config that has eth0, which is virtual here, under its whole name.
func byName(change func(*types.Interface)) types.Network {
	i := types.Interface{Name: "eth0", IPv6: types.IPv6Auto}
	change(&i)
	return types.Network{Interfaces: []types.Interface{i}}
}

var dhcp = byName(func(*types.Interface) {})

// server is a DHCP server that does as it is told.
type server struct {
	mu      sync.Mutex
	address string // that it gives; empty: it is silent
	seconds uint32
	refuse  bool     // DHCPREQUESTs
	asked   []string // what it was asked: type, and how
	changed chan struct{}
}

func (w *world) serve(address string, seconds uint32) *server {
	w.t.Helper()
	s := &server{address: address, seconds: seconds, changed: make(chan struct{}, 1)}
	w.there(func() {
		conn, err := server4.NewIPv4UDPConn("peer0", &net.UDPAddr{Port: 67})
		if err != nil {
			w.t.Fatal(err)
		}
		served, err := server4.NewServer("peer0", nil, s.handle, server4.WithConn(conn))
		if err != nil {
			w.t.Fatal(err)
		}
		go served.Serve()
		w.t.Cleanup(func() { served.Close() })
	})
	return s
}

func (s *server) set(change func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
	s.asked = nil
}

func (s *server) handle(conn net.PacketConn, peer net.Addr, m *dhcpv4.DHCPv4) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how := m.MessageType().String()
	switch {
	case m.MessageType() != dhcpv4.MessageTypeRequest:
	case !m.ClientIPAddr.IsUnspecified() && !peer.(*net.UDPAddr).IP.Equal(net.IPv4bcast):
		how += " renew"
	case !m.ClientIPAddr.IsUnspecified():
		how += " rebind"
	case m.ServerIdentifier() == nil:
		how += " verify"
	}
	s.asked = append(s.asked, how)
	select {
	case s.changed <- struct{}{}:
	default:
	}
	if s.address == "" || m.HostName() != "edge7" {
		return
	}
	kind := dhcpv4.MessageTypeOffer
	if m.MessageType() == dhcpv4.MessageTypeRequest {
		kind = dhcpv4.MessageTypeAck
		if s.refuse || m.RequestedIPAddress() != nil && !m.RequestedIPAddress().Equal(net.ParseIP(s.address)) {
			kind = dhcpv4.MessageTypeNak
		}
	}
	reply, err := dhcpv4.NewReplyFromRequest(m, dhcpv4.WithMessageType(kind), dhcpv4.WithServerIP(net.IPv4(192, 0, 2, 1)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(192, 0, 2, 1))))
	if err != nil {
		panic(err)
	}
	if kind != dhcpv4.MessageTypeNak {
		reply.YourIPAddr = net.ParseIP(s.address).To4()
		for _, modify := range []dhcpv4.Modifier{
			dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithRouter(net.IPv4(192, 0, 2, 1)), dhcpv4.WithDNS(net.IPv4(192, 0, 2, 53)),
			dhcpv4.WithOption(dhcpv4.OptDomainName("example.org")), dhcpv4.WithLeaseTime(s.seconds), dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{5, 120}),
		} {
			modify(reply)
		}
	}
	conn.WriteTo(reply.ToBytes(), peer)
}

// until waits until the server was asked that.
func (s *server) until(t *testing.T, what string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
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

func TestRealDHCP(t *testing.T) {
	w := newWorld(t)
	w.serve("192.0.2.7", 3600)
	w.start(dhcp)
	s := w.until("lease", has("192.0.2.7/24"))
	s = w.until("default route", func(s State) bool { return s.DefaultRoute == DefaultRoute{"eth0", addr("192.0.2.1")} })
	if !slices.Equal(s.Search, []string{"example.org"}) || !slices.Equal(s.Nameservers, []netip.Addr{addr("192.0.2.53")}) || len(s.Conditions) > 0 {
		t.Errorf("state is %+v", s)
	}
	w.linkUntil("MTU", func(a *netlink.LinkAttrs) bool { return a.MTU == 1400 })
	if b, err := os.ReadFile(w.manager.resolvConf); err != nil || !strings.HasSuffix(string(b), "nameserver 192.0.2.53\nsearch example.org\n") {
		t.Errorf("resolv.conf: %q, %v", b, err)
	}

	// With another server's addresses on the interface, and pods' interfaces beside it, nothing of theirs is touched.
	l, _ := netlink.LinkByName("eth0")
	foreign := &netlink.Addr{IPNet: ipNet(pfx("192.0.2.200/32"))}
	if err := netlink.AddrAdd(l, foreign); err != nil {
		t.Fatal(err)
	}
	w.until("foreign address", has("192.0.2.200/32"))

	// What somebody takes away comes back.
	if err := netlink.RouteDel(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(defaultIPv4), Gw: net.IPv4(192, 0, 2, 1), Priority: wiredMetric}); err != nil {
		t.Fatal(err)
	}
	w.until("default route again", func(s State) bool { return s.DefaultRoute.Interface == "eth0" })
	if s, _ := w.manager.State(); !has("192.0.2.200/32")(s) {
		t.Errorf("the foreign address is gone: %+v", s)
	}

	// From DHCP to static.
	w.manager.Configure(byName(func(i *types.Interface) {
		i.Addresses = prefixes("192.0.2.9/24")
		i.Routes = []types.Route{{To: pfx("0.0.0.0/0"), Via: addr("192.0.2.1")}, {To: pfx("10.0.0.0/8"), Via: addr("192.0.2.2"), Metric: 7}}
	}), "edge7")
	w.until("static", func(s State) bool {
		return has("192.0.2.9/24")(s) && hasNot("192.0.2.7/24")(s) && has("192.0.2.200/32")(s)
	})
	w.until("static route", func(s State) bool { return s.DefaultRoute.Interface == "eth0" })
	routes, err := ownRoutes(l.Attrs().Index)
	if want := []route{{To: defaultIPv4, Via: addr("192.0.2.1"), Protocol: protocolStatic}, {To: pfx("10.0.0.0/8"), Via: addr("192.0.2.2"), Metric: 7, Protocol: protocolStatic}}; err != nil || !slices.Equal(routes, want) {
		t.Errorf("routes are %+v, %v", routes, err)
	}

	// Not ours any more: it keeps what is not ours.
	w.manager.Configure(types.Network{}, "edge7")
	w.until("released", func(s State) bool { return len(s.Addresses) == 0 })
	left, err := addresses(l.Attrs().Index)
	if left = slices.DeleteFunc(left, func(a address) bool { return a.Prefix.Addr().Is6() }); err != nil || len(left) != 1 || left[0].Prefix != pfx("192.0.2.200/32") {
		t.Errorf("addresses left are %+v, %v", left, err)
	}
}

func TestRealRestart(t *testing.T) {
	w := newWorld(t)
	dhcpd := w.serve("192.0.2.7", 3600)
	w.start(dhcp)
	w.until("lease", has("192.0.2.7/24"))
	w.stop()

	updates, done := make(chan netlink.AddrUpdate, 100), make(chan struct{})
	if err := netlink.AddrSubscribe(updates, done); err != nil {
		t.Fatal(err)
	}
	dhcpd.set(func(*server) {})
	w.start(dhcp)
	w.until("lease", has("192.0.2.7/24"))
	dhcpd.until(t, "REQUEST verify")
	close(done)
	for u := range updates {
		if !u.NewAddr && u.LinkAddress.IP.To4() != nil {
			t.Errorf("%v was removed in between", u.LinkAddress)
		}
	}
	w.stop()

	// The cable is in another network now.
	dhcpd.set(func(s *server) { s.address = "192.0.2.8" })
	w.start(dhcp)
	w.until("the new network's lease", func(s State) bool { return has("192.0.2.8/24")(s) && hasNot("192.0.2.7/24")(s) })
}

func TestRealRenewal(t *testing.T) {
	w := newWorld(t)
	dhcpd := w.serve("192.0.2.7", 4)
	w.start(dhcp)
	w.until("lease", has("192.0.2.7/24"))
	dhcpd.set(func(*server) {})
	dhcpd.until(t, "REQUEST renew")
	dhcpd.until(t, "REQUEST renew")

	// Taken back.
	dhcpd.set(func(s *server) { s.refuse = true })
	w.until("no address", hasNot("192.0.2.7/24"))
	dhcpd.set(func(s *server) { s.refuse = false })
	w.until("lease again", has("192.0.2.7/24"))

	// The server falls silent: the lease ends.
	dhcpd.set(func(s *server) { s.address = "" })
	w.until("no address", hasNot("192.0.2.7/24"))
	dhcpd.until(t, "DISCOVER")
	dhcpd.set(func(s *server) { s.address = "192.0.2.8" })
	w.until("a new lease", has("192.0.2.8/24"))
}

func TestRealCable(t *testing.T) {
	w := newWorld(t)
	dhcpd := w.serve("192.0.2.7", 3600)
	w.there(func() { w.plug(false) })
	w.start(dhcp)
	w.until("a word about the cable", func(s State) bool { return len(s.Conditions) == 1 && s.Conditions[0].ID == "network.carrier.eth0" })
	dhcpd.set(func(s *server) { s.address = "" })
	w.there(func() { w.plug(true) })
	w.until("a word about DHCP", func(s State) bool { return len(s.Conditions) == 1 && s.Conditions[0].ID == "network.dhcp.eth0" })
	dhcpd.set(func(s *server) { s.address = "192.0.2.7" })
	w.until("all is well", func(s State) bool { return has("192.0.2.7/24")(s) && len(s.Conditions) == 0 })

	// The cable out and in again, while the server is silent: the address stays.
	dhcpd.set(func(s *server) { s.address = "" })
	w.there(func() { w.plug(false) })
	w.until("no carrier", func(s State) bool { return len(s.Conditions) == 1 && s.Conditions[0].ID == "network.carrier.eth0" })
	w.there(func() { w.plug(true) })
	dhcpd.until(t, "REQUEST verify")
	dhcpd.until(t, "DISCOVER")
	if s, _ := w.manager.State(); !has("192.0.2.7/24")(s) {
		t.Errorf("the address is gone: %+v", s)
	}
}

func TestRealIPv6(t *testing.T) {
	w := newWorld(t)
	w.start(byName(func(i *types.Interface) {
		i.Addresses, i.IPv6 = prefixes("192.0.2.9/24", "2001:db8::9/64"), types.IPv6Off
		i.Routes = []types.Route{{To: defaultIPv6, Via: addr("fe80::1")}}
	}))
	if !exists("/proc/sys/net/ipv6") {
		t.Skip("no IPv6 here")
	}
	w.until("address", has("2001:db8::9/64"))
	b, err := os.ReadFile("/proc/sys/net/ipv6/conf/eth0/accept_ra")
	if err != nil || strings.TrimSpace(string(b)) != "0" {
		t.Errorf("accept_ra is %q, %v", b, err)
	}
	l, _ := netlink.LinkByName("eth0")
	routes, err := ownRoutes(l.Attrs().Index)
	if want := []route{{To: defaultIPv6, Via: addr("fe80::1"), Metric: ipv6Metric, Protocol: protocolStatic}}; err != nil || !slices.Equal(routes, want) {
		t.Errorf("routes are %+v, %v", routes, err)
	}
}

func TestRealDummy(t *testing.T) {
	newWorld(t)
	for range 2 {
		err := EnsureDummy("coracle0", addr("10.254.254.1"))
		if err != nil && strings.Contains(err.Error(), "not loaded") {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	l, err := netlink.LinkByName("coracle0")
	if err != nil {
		t.Fatal(err)
	}
	have, err := addresses(l.Attrs().Index)
	if err != nil || !slices.ContainsFunc(have, func(a address) bool { return a.Prefix == pfx("10.254.254.1/32") }) {
		t.Errorf("%+v, %v", have, err)
	}
	for range 2 {
		if err := RemoveDummy("coracle0"); err != nil {
			t.Error(err)
		}
	}
}
