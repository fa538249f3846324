package network

import (
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/machined/config/types"
)

// cable makes another interface of ours with its peer, which has that address, at the other end.
func (w *world) cable(name, peer, address string) {
	w.t.Helper()
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: peer, PeerNamespace: netlink.NsFd(w.peer)}); err != nil {
		w.t.Fatal(err)
	}
	w.there(func() {
		l, err := netlink.LinkByName(peer)
		if err == nil {
			err = netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(pfx(address))})
		}
		if err == nil {
			err = netlink.LinkSetUp(l)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	})
}

// needs skips the test on a kernel without interfaces of that kind.
func needs(t *testing.T, l netlink.Link) {
	t.Helper()
	switch err := netlink.LinkAdd(l); {
	case errors.Is(err, unix.EOPNOTSUPP):
		t.Skipf("this kernel has no interfaces of kind %s", l.Type())
	case err != nil:
		t.Fatal(err)
	}
	if made, err := netlink.LinkByName(l.Attrs().Name); err == nil {
		netlink.LinkDel(made)
	}
}

// linkNamed is the interface of that name, as the kernel has it.
func linkNamed(name string) (link, bool) {
	all, err := links()
	i := slices.IndexFunc(all, func(l link) bool { return l.Name == name })
	if err != nil || i < 0 {
		return link{}, false
	}
	return all[i], true
}

func hasAt(name, address string) func(State) bool {
	return func(s State) bool { return slices.Contains(s.Addresses, Address{name, pfx(address)}) }
}

func interfaces(i ...types.Interface) types.Network { return types.Network{Interfaces: i} }

func TestRealBridge(t *testing.T) {
	w := newWorld(t)
	needs(t, &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "test0"}})
	w.cable("eth1", "peer1", "192.0.2.2/24")
	w.serve("192.0.2.7", 3600)
	w.start(dhcp)
	w.until("lease without the bridge", hasAt("eth0", "192.0.2.7/24"))

	w.manager.Configure(interfaces(bridgeOf("br0", "eth0", "eth1")), "edge7")
	w.until("lease of the bridge", hasAt("br0", "192.0.2.7/24"))
	eth0, _ := linkNamed("eth0")
	br0, _ := linkNamed("br0")
	if br0.MAC != eth0.MAC || br0.Mark != madeMark || eth0.Master != br0.Index {
		t.Errorf("br0 is %+v, eth0 %+v", br0, eth0)
	}
	w.kernelUntil("members without addresses", func() bool {
		for _, name := range []string{"eth0", "eth1"} {
			l, _ := netlink.LinkByName(name)
			have, err := netlink.AddrList(l, netlink.FAMILY_ALL)
			if err != nil || len(have) > 0 || l.Attrs().MasterIndex != br0.Index {
				return false
			}
		}
		return true
	})

	// A pod plugs itself in, and stays when the config changes. The bridge stays too.
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "veth1", MasterIndex: br0.Index}, PeerName: "veth2"}); err != nil {
		t.Fatal(err)
	}
	changed := bridgeOf("br0", "eth0")
	changed.Bridge.STP, changed.MTU, changed.Addresses = true, 1400, prefixes("192.0.2.9/24")
	w.manager.Configure(interfaces(changed), "edge7")
	w.until("static address", hasAt("br0", "192.0.2.9/24"))
	w.kernelUntil("eth1 is free, spanning tree, MTU", func() bool {
		l, _ := linkNamed("br0")
		eth1, _ := linkNamed("eth1")
		veth1, _ := linkNamed("veth1")
		return l.Index == br0.Index && l.STP && l.MTU == 1400 && eth1.Master == 0 && eth1.Mark == 0 && veth1.Master == l.Index
	})

	// The next machined finds it as it is.
	w.start(interfaces(changed))
	w.until("static address", hasAt("br0", "192.0.2.9/24"))
	if l, _ := linkNamed("br0"); l.Index != br0.Index {
		t.Error("the bridge was made anew")
	}

	w.manager.Configure(dhcp, "edge7")
	w.until("lease without the bridge", hasAt("eth0", "192.0.2.7/24"))
	if l, there := linkNamed("br0"); there {
		t.Errorf("br0 is left: %+v", l)
	}
}

// TestRealForeignBridge: one that somebody else made is not touched.
func TestRealForeignBridge(t *testing.T) {
	w := newWorld(t)
	foreign := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
	needs(t, &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "test0"}})
	if err := netlink.LinkAdd(foreign); err != nil {
		t.Fatal(err)
	}
	w.start(interfaces(bridgeOf("br0", "eth0")))
	w.until("a word", func(s State) bool { return len(s.Conditions) == 1 && s.Conditions[0].ID == "network.made.br0" })
	if l, _ := linkNamed("eth0"); l.Master != 0 {
		t.Errorf("eth0 is %+v", l)
	}
	w.manager.Configure(dhcp, "edge7")
	w.until("no word", func(s State) bool { return len(s.Conditions) == 0 || s.Conditions[0].ID != "network.made.br0" })
	if _, there := linkNamed("br0"); !there {
		t.Error("br0 is gone")
	}
}

func TestRealVLAN(t *testing.T) {
	w := newWorld(t)
	parent, _ := linkNamed("eth0")
	needs(t, &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "test0", ParentIndex: parent.Index}, VlanId: 9})
	w.there(func() {
		l, err := netlink.LinkByName("peer0")
		if err != nil {
			t.Fatal(err)
		}
		if err := netlink.LinkAdd(&netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "peer5", ParentIndex: l.Attrs().Index}, VlanId: 5}); err != nil {
			t.Fatal(err)
		}
		if l, err = netlink.LinkByName("peer5"); err == nil {
			err = netlink.LinkSetUp(l)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	v := vlanOf("plant", "eth0", 5)
	v.Addresses = prefixes("198.51.100.7/24")
	w.start(interfaces(v))
	w.until("address of the VLAN", hasAt("plant", "198.51.100.7/24"))
	w.linkUntil("its parent is up", func(a *netlink.LinkAttrs) bool { return a.Flags&net.FlagUp != 0 })
	v.VLAN = &types.VLAN{Parent: "eth0", ID: 6}
	w.manager.Configure(interfaces(v), "edge7")
	w.kernelUntil("another VLAN", func() bool {
		l, there := linkNamed("plant")
		return there && l.Shape.ID == 6
	})
	w.manager.Configure(dhcp, "edge7")
	w.kernelUntil("no VLAN", func() bool { _, there := linkNamed("plant"); return !there })
}

func TestRealBond(t *testing.T) {
	w := newWorld(t)
	needs(t, netlink.NewLinkBond(netlink.LinkAttrs{Name: "test0"}))
	w.cable("eth1", "peer1", "192.0.2.2/24")
	b := bondOf("bond0", "eth0", "eth1")
	b.Bond.Primary, b.Addresses = "eth1", prefixes("192.0.2.9/24")
	w.start(interfaces(b))
	w.until("address of the bond", hasAt("bond0", "192.0.2.9/24"))
	w.kernelUntil("members, primary", func() bool {
		l, _ := linkNamed("bond0")
		eth0, _ := linkNamed("eth0")
		eth1, _ := linkNamed("eth1")
		return eth0.Master == l.Index && eth1.Master == l.Index && l.Primary == "eth1" && l.Shape == shapeOf(&b)
	})
	b.Bond = &types.Bond{Members: []string{"eth0", "eth1"}, Mode: "802.3ad", MIIMon: 50, LACPRate: "fast", HashPolicy: "layer3+4"}
	w.manager.Configure(interfaces(b), "edge7")
	w.kernelUntil("another mode", func() bool { l, _ := linkNamed("bond0"); return l.Shape == shapeOf(&b) })
	w.until("address of the bond", hasAt("bond0", "192.0.2.9/24"))
	w.manager.Configure(dhcp, "edge7")
	w.kernelUntil("no bond", func() bool { _, there := linkNamed("bond0"); return !there })
}

// TestRealFallback: while one interface has no carrier, the other's default route is in force.
func TestRealFallback(t *testing.T) {
	w := newWorld(t)
	w.cable("eth1", "peer1", "198.51.100.1/24")
	uplink := func(name, address, via string, metric int) types.Interface {
		return types.Interface{Name: name, Addresses: prefixes(address), Routes: []types.Route{{To: defaultIPv4, Via: addr(via), Metric: metric}}}
	}
	w.start(interfaces(uplink("eth0", "192.0.2.7/24", "192.0.2.1", 10), uplink("eth1", "198.51.100.7/24", "198.51.100.1", 20)))
	out := func(name string) func() bool {
		return func() bool {
			routes, err := netlink.RouteGet(net.IPv4(203, 0, 113, 1))
			l, there := linkNamed(name)
			return err == nil && there && len(routes) == 1 && routes[0].LinkIndex == l.Index
		}
	}
	for range 2 {
		w.kernelUntil("out of eth0", out("eth0"))
		w.until("eth0 is known for that", func(s State) bool { return s.DefaultRoute.Interface == "eth0" })
		w.there(func() { w.plug(false) })
		w.kernelUntil("out of eth1", out("eth1"))
		w.until("eth1 is known for that", func(s State) bool { return s.DefaultRoute.Interface == "eth1" })
		w.there(func() { w.plug(true) })
	}
}
