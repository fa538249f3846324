package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/config/types"
)

func checkCoreDNS(k *checker) {
	const at = "cluster.addons.coredns"
	c := &k.Cluster.Addons.CoreDNS
	if c.Replicas < 1 || c.Replicas > 10 {
		k.fail(at+".replicas", "%d is not between 1 and 10", c.Replicas)
	}
	if c.CacheSeconds < 0 || c.CacheSeconds > 3600 {
		k.fail(at+".cacheSeconds", "%d is not between 0 and 3600", c.CacheSeconds)
	}
	checkNameServers(k, at+".upstream", c.Upstream)
	for _, name := range slices.Sorted(maps.Keys(c.Hosts)) {
		p := fmt.Sprintf("%s.hosts[%q]", at, name)
		k.want(isLowerDomain(name), p, name, "a name such as printer.plant.example, in lower-case letters")
		if len(c.Hosts[name]) == 0 {
			k.fail(p, "has no address")
		}
		for i, a := range c.Hosts[name] {
			if a.Zone() != "" || a.IsUnspecified() {
				k.fail(fmt.Sprintf("%s[%d]", p, i), "%s is no address that a pod could reach", a)
			}
		}
	}
	for _, domain := range slices.Sorted(maps.Keys(c.Domains)) {
		p := fmt.Sprintf("%s.domains[%q]", at, domain)
		k.want(isLowerDomain(domain), p, domain, "a domain such as plant.example, in lower-case letters")
		checkForeign(k, p, domain)
		if len(c.Domains[domain]) == 0 {
			k.fail(p, "has no name server")
		}
		checkNameServers(k, p, c.Domains[domain])
	}
	checkServerBlocks(k, at+".serverBlocks", c)
}

func isLowerDomain(s string) bool {
	return s == strings.ToLower(s) && !strings.HasSuffix(s, ".") && isDomain(s)
}

// checkForeign wants a domain to be none of the cluster's.
func checkForeign(k *checker, at, domain string) {
	if own := k.Cluster.Domain; domain == own || strings.HasSuffix(domain, "."+own) {
		k.fail(at, "%s belongs to the cluster itself (cluster.domain)", domain)
	}
}

// checkNameServers checks servers that CoreDNS is to ask from its pod.
func checkNameServers(k *checker, at string, servers []string) {
	for i, s := range servers {
		p := fmt.Sprintf("%s[%d]", at, i)
		if slices.Index(servers, s) < i {
			k.fail(p, "%s is in the list already", s)
		}
		addr, err := netip.ParseAddr(s)
		if withPort, portErr := netip.ParseAddrPort(s); portErr == nil && withPort.Port() != 0 {
			addr, err = withPort.Addr(), nil
		}
		switch {
		case err != nil:
			k.fail(p, "%q is not a name server's address such as 192.0.2.1 or 192.0.2.1:5353", s)
		case addr.Zone() != "" || addr.IsLoopback() || addr.IsUnspecified() || addr.IsMulticast():
			k.fail(p, "%s is no address that a pod could reach", addr)
		case addr == k.clusterDNS():
			k.fail(p, "%s is the cluster's own DNS, which would ask itself", addr)
		}
	}
}

// clusterDNS is the address of the cluster's DNS: the tenth of the network of Services (services.Settings).
func (k *checker) clusterDNS() netip.Addr {
	addr := k.Cluster.ServiceCIDR.IPv4().Masked().Addr()
	for range 10 {
		addr = addr.Next()
	}
	return addr
}

// checkServerBlocks checks the text that is added to the Corefile: a mistake would keep CoreDNS from starting, hours
// after the config was applied.
func checkServerBlocks(k *checker, at string, c *types.CoreDNS) {
	if c.ServerBlocks == "" {
		return
	}
	zones, err := parseServerBlocks(c.ServerBlocks)
	if err != nil {
		k.fail(at, "%v", err)
		return
	}
	for i, zone := range zones {
		_, taken := c.Domains[zone]
		switch {
		case zone == "" || zone == ".":
			k.fail(at, "a block for everything (.) is there already; see upstream, hosts and cacheSeconds")
		case taken:
			k.fail(at, "%s is in domains too", zone)
		case slices.Index(zones, zone) < i:
			k.fail(at, "%s has two blocks", zone)
		default:
			checkForeign(k, at, zone)
		}
	}
}
