package flannel

import (
	"fmt"
	"net"
	"slices"

	"github.com/flannel-io/flannel/pkg/backend"
)

// nic is a network interface with its addresses.
type nic struct {
	net.Interface
	addrs []net.IP
}

func nics() ([]nic, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	var out []nic
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			continue // it has just gone
		}
		n := nic{Interface: i}
		for _, a := range addrs {
			if ipnet, ok := a.(*net.IPNet); ok {
				n.addrs = append(n.addrs, ipnet.IP)
			}
		}
		out = append(out, n)
	}
	return out, nil
}

// external chooses the interface over which nodes reach each other: the one that the config names, or the one with the
// first node IP. Its addresses are the node IPs that it has, or else its first global ones.
func external(all []nic, name string, nodeIPs []string, v4, v6 bool) (*backend.ExternalInterface, error) {
	var ips []net.IP
	for _, s := range nodeIPs {
		ips = append(ips, net.ParseIP(s))
	}
	has := func(n nic, ip net.IP) bool { return slices.ContainsFunc(n.addrs, ip.Equal) }
	at := slices.IndexFunc(all, func(n nic) bool {
		if name != "" {
			return n.Name == name
		}
		return len(ips) > 0 && has(n, ips[0])
	})
	switch {
	case at < 0 && name != "":
		return nil, fmt.Errorf("there is no interface %s, which flannel is to use", name)
	case at < 0:
		return nil, fmt.Errorf("no interface has a node address of %v", nodeIPs)
	}
	n := all[at]
	pick := func(want4 bool) net.IP {
		for _, list := range [][]net.IP{ips, n.addrs} {
			for _, ip := range list {
				if ip != nil && (ip.To4() != nil) == want4 && has(n, ip) && (ip.IsGlobalUnicast() || ip.IsLoopback()) {
					return ip
				}
			}
		}
		return nil
	}
	out := &backend.ExternalInterface{Iface: &n.Interface, IfaceName: n.Name}
	if v4 {
		if out.IfaceAddr = pick(true); out.IfaceAddr == nil {
			return nil, fmt.Errorf("interface %s has no IPv4 address", n.Name)
		}
		out.ExtAddr = out.IfaceAddr
	}
	if v6 {
		if out.IfaceV6Addr = pick(false); out.IfaceV6Addr == nil {
			return nil, fmt.Errorf("interface %s has no global IPv6 address", n.Name)
		}
		out.ExtV6Addr = out.IfaceV6Addr
	}
	return out, nil
}
