package network

import (
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/coracle-os/coracle/machined/config/types"
)

// TestRealMTU: an MTU that is taken off the config is the interface's own again, even if machined was restarted meanwhile.
func TestRealMTU(t *testing.T) {
	w := newWorld(t)
	var own int
	w.linkUntil("its own", func(a *netlink.LinkAttrs) bool { own = a.MTU; return own != 0 })
	is := func(mtu int) func(*netlink.LinkAttrs) bool {
		return func(a *netlink.LinkAttrs) bool { return a.MTU == mtu }
	}
	with := func(mtu int) types.Network {
		return byName(func(i *types.Interface) { i.Addresses, i.MTU = prefixes("192.0.2.9/24"), mtu })
	}
	w.start(with(1400))
	w.linkUntil("1400", is(1400))
	w.manager.Configure(with(1300), "edge7")
	w.linkUntil("1300", is(1300))
	w.start(with(0))
	w.linkUntil("its own again", is(own))

	// What somebody else has set since is left alone.
	l, err := netlink.LinkByName("eth0")
	if err == nil {
		err = netlink.LinkSetMTU(l, 1450)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.start(byName(func(i *types.Interface) { i.Addresses = prefixes("192.0.2.10/24") }))
	w.until("another address", has("192.0.2.10/24"))
	w.linkUntil("1450", is(1450))
}
