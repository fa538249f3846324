package inspect

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// maxRoutes bounds the list; a router with a whole table of the Internet is no Coracle.
const maxRoutes = 10000

// Network asks the kernel for interfaces, addresses and routes.
func (s System) Network() (Network, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return Network{}, fmt.Errorf("list network interfaces: %w", err)
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return Network{}, fmt.Errorf("list addresses: %w", err)
	}
	var routes []netlink.Route
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		found, err := netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return Network{}, fmt.Errorf("list routes: %w", err)
		}
		routes = append(routes, found...)
	}
	n := Network{}
	n.Nameservers, n.Search = s.resolver()
	names := map[int]string{}
	for _, l := range links {
		i := toInterface(l, addresses)
		i.Driver = s.driver(l.Attrs().Name)
		n.Interfaces = append(n.Interfaces, i)
		names[l.Attrs().Index] = i.Name
	}
	for _, r := range routes[:min(len(routes), maxRoutes)] {
		n.Routes = append(n.Routes, toRoutes(r, names)...)
	}
	slices.SortFunc(n.Interfaces, func(a, b Interface) int { return cmp.Compare(a.Name, b.Name) })
	return n, nil
}

func toInterface(l netlink.Link, addresses []netlink.Addr) Interface {
	a := l.Attrs()
	i := Interface{
		Name: valid(a.Name), Kind: l.Type(), MAC: a.HardwareAddr.String(), MTU: a.MTU,
		Up: a.RawFlags&unix.IFF_UP != 0, Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0,
	}
	if s := a.Statistics; s != nil {
		i.Received, i.Sent, i.ReceiveErrors, i.SendErrors = s.RxBytes, s.TxBytes, s.RxErrors, s.TxErrors
		i.ReceiveDropped, i.SendDropped = s.RxDropped, s.TxDropped
	}
	for _, address := range addresses {
		if address.LinkIndex == a.Index && address.IPNet != nil {
			i.Addresses = append(i.Addresses, address.IPNet.String())
		}
	}
	return i
}

// toRoutes is one route, or one for each next hop of one that has several.
func toRoutes(r netlink.Route, names map[int]string) []Route {
	base := Route{Destination: "0.0.0.0/0", Interface: names[r.LinkIndex], Metric: r.Priority}
	if r.Family == netlink.FAMILY_V6 {
		base.Destination = "::/0"
	}
	if r.Dst != nil {
		base.Destination = r.Dst.String()
	}
	if r.Gw != nil {
		base.Gateway = r.Gw.String()
	}
	if r.Src != nil {
		base.Source = r.Src.String()
	}
	base.Protocol = protocols[int(r.Protocol)]
	if base.Protocol == "" {
		base.Protocol = fmt.Sprint(int(r.Protocol))
	}
	if len(r.MultiPath) == 0 {
		return []Route{base}
	}
	var list []Route
	for _, hop := range r.MultiPath {
		one := base
		one.Interface = names[hop.LinkIndex]
		if hop.Gw != nil {
			one.Gateway = hop.Gw.String()
		}
		list = append(list, one)
	}
	return list
}
