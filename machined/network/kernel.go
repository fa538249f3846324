package network

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// addresses lists the addresses of an interface but for IPv6's link-local ones.
func addresses(index int) ([]address, error) {
	found, err := netlink.AddrList(&netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Index: index}}, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	var all []address
	for _, f := range found {
		p, ok := prefix(f.IPNet)
		if !ok || p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() {
			continue
		}
		a := address{Prefix: p, Tentative: f.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0}
		if f.ValidLft > 0 && f.ValidLft < math.MaxInt32 { // for ever is 2^32-1, which is -1 where int has 32 bits
			a.Lifetime = time.Duration(f.ValidLft) * time.Second
		}
		all = append(all, a)
	}
	return all, nil
}

// linkLocal is an IPv6 link-local address of an interface that can be used, as DHCPv6 needs; nil: it has none yet.
func linkLocal(index int) net.IP {
	found, _ := netlink.AddrList(&netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Index: index}}, netlink.FAMILY_V6)
	for _, a := range found {
		if a.IP.IsLinkLocalUnicast() && a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0 {
			return a.IP
		}
	}
	return nil
}

// ownRoutes lists the routes out of an interface that have one of our protocols.
func ownRoutes(index int) ([]route, error) {
	var all []route
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		found, err := netlink.RouteListFiltered(family, &netlink.Route{LinkIndex: index, Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_OIF|netlink.RT_FILTER_TABLE)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if f.Protocol != protocolStatic && f.Protocol != protocolDHCP {
				continue
			}
			all = append(all, fromKernel(f, family))
		}
	}
	return all, nil
}

func fromKernel(f netlink.Route, family int) route {
	r := route{To: defaultIPv4, Metric: f.Priority, Protocol: int(f.Protocol)}
	if family == netlink.FAMILY_V6 {
		r.To = defaultIPv6
	}
	if p, ok := prefix(f.Dst); ok {
		r.To = p
	}
	if via, ok := netip.AddrFromSlice(f.Gw); ok {
		r.Via = via.Unmap()
	}
	return r
}

// defaultRoute returns the interface's index and the gateway of the IPv4 default route that is in force, whoever made
// it. index is 0 when there is none.
func defaultRoute() (index int, via netip.Addr, err error) {
	found, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return 0, via, fmt.Errorf("list routes: %w", err)
	}
	best := math.MaxInt
	for _, f := range found {
		r := fromKernel(f, netlink.FAMILY_V4)
		if r.To == defaultIPv4 && f.LinkIndex != 0 && f.Flags&unix.RTNH_F_LINKDOWN == 0 && r.Metric < best {
			best, index, via = r.Metric, f.LinkIndex, r.Via
		}
	}
	return index, via, nil
}

func prefix(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	ip := n.IP
	if v4 := ip.To4(); v4 != nil {
		ip = v4
	}
	a, ok := netip.AddrFromSlice(ip)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(a, bits), ok
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// carryOut makes the changes to l. It goes on after an error, as the rest may do without what failed.
func carryOut(l link, c changes) error {
	var problems []error
	failed := func(err error, format string, args ...any) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %s: %w", l.Name, fmt.Sprintf(format, args...), err))
		}
	}
	device := &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Index: l.Index, Name: l.Name}}
	if c.MTU != 0 {
		failed(netlink.LinkSetMTU(device, c.MTU), "set the MTU to %d", c.MTU)
	}
	for _, a := range c.AddAddresses {
		seconds := int((a.Lifetime + time.Second - 1) / time.Second)
		failed(netlink.AddrReplace(device, &netlink.Addr{IPNet: ipNet(a.Prefix), ValidLft: seconds, PreferedLft: seconds}), "add address %s", a.Prefix)
	}
	for _, p := range c.RemoveAddresses {
		failed(ignore(netlink.AddrDel(device, &netlink.Addr{IPNet: ipNet(p)}), unix.EADDRNOTAVAIL), "remove address %s", p)
	}
	for _, r := range c.RemoveRoutes {
		failed(ignore(netlink.RouteDel(toKernel(l, r)), unix.ESRCH), "remove route to %s", r.To)
	}
	for _, r := range c.AddRoutes {
		failed(netlink.RouteReplace(toKernel(l, r)), "add route to %s via %s", r.To, r.Via)
	}
	return errors.Join(problems...)
}

func toKernel(l link, r route) *netlink.Route {
	k := &netlink.Route{LinkIndex: l.Index, Dst: ipNet(r.To), Priority: r.Metric, Protocol: netlink.RouteProtocol(r.Protocol)}
	if r.Via.IsValid() {
		k.Gw = r.Via.AsSlice()
		if r.OnLink {
			k.Flags = int(netlink.FLAG_ONLINK)
		}
	} else {
		k.Scope = netlink.SCOPE_LINK
	}
	return k
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}

// sysctl is one setting of an interface, below /proc/sys/net.
type sysctl struct{ path, value string }

// sysctls are the settings of an interface that is to be as p says. They are made before it is up.
//
// accept_ra=2: also on a machine that forwards, as every Kubernetes node does. promote_secondaries: when a lease
// changes, the new address is added before the old one goes, and must not go with it. ignore_routes_with_linkdown: without a
// carrier the next interface's routes count. ra_defrtr_metric: since Linux 5.12.
func sysctls(name string, p plan) []sysctl {
	v4, v6 := "ipv4/conf/"+name+"/", "ipv6/conf/"+name+"/"
	all := []sysctl{{v4 + "promote_secondaries", "1"}, {v4 + "ignore_routes_with_linkdown", "1"}}
	if p.IPv6 == ipv6Off {
		return append(all, sysctl{v6 + "disable_ipv6", "1"})
	}
	all = append(all, sysctl{v6 + "ignore_routes_with_linkdown", "1"})
	if p.IPv6 == ipv6Static { // enabled last: it then asks no router
		return append(all, sysctl{v6 + "accept_ra", "0"}, sysctl{v6 + "autoconf", "0"}, sysctl{v6 + "disable_ipv6", "0"})
	}
	return append(all, sysctl{v6 + "disable_ipv6", "0"}, sysctl{v6 + "ra_defrtr_metric", strconv.Itoa(p.RouterMetric)},
		sysctl{v6 + "accept_ra", "2"}, sysctl{v6 + "autoconf", "1"}, sysctl{v6 + "use_tempaddr", "0"})
}

// forgetRouters takes from an interface that is no longer to be configured by router advertisements what they have given it. The
// kernel takes back only everything of IPv6 at once; the sysctls bring it back, and the changes the addresses that are ours.
func forgetRouters(name string, p plan) error {
	now, err := os.ReadFile("/proc/sys/net/ipv6/conf/" + name + "/autoconf")
	if p.IPv6 != ipv6Static || err != nil || strings.TrimSpace(string(now)) == "0" {
		return nil // a kernel without IPv6 has no such file
	}
	return sysctl{"ipv6/conf/" + name + "/disable_ipv6", "1"}.apply()
}

// apply makes the setting unless the kernel has it already. A kernel without IPv6 has nothing to set.
func (s sysctl) apply() error {
	path := filepath.Join("/proc/sys/net", s.path)
	now, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(now)) == s.value {
		return nil
	}
	if err == nil {
		err = os.WriteFile(path, []byte(s.value), 0o644)
	}
	if err != nil {
		return fmt.Errorf("set %s to %s: %w", path, s.value, err)
	}
	return nil
}
