package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/config/types"
)

func checkCluster(k *checker) {
	c := &k.Cluster
	k.want(isDomain(c.Domain) && !strings.HasSuffix(c.Domain, ".") && c.Domain == strings.ToLower(c.Domain), "cluster.domain", c.Domain, "a domain such as cluster.local")
	if c.Endpoint != "" {
		if _, _, err := control.ParseEndpoint(c.Endpoint); err != nil {
			k.fail("cluster.endpoint", "%v", err)
		}
	}
	for i, e := range c.Datastore.Ephemeral {
		if slices.Index(c.Datastore.Ephemeral, e) < i {
			k.fail(fmt.Sprintf("cluster.datastore.ephemeral[%d]", i), "%s is in the list already", e)
		}
	}
	for i, san := range c.APIServer.ExtraSANs {
		_, err := netip.ParseAddr(san)
		k.want(err == nil || len(san) <= 253 && wildcard.MatchString(strings.ToLower(san)), fmt.Sprintf("cluster.apiServer.extraSANs[%d]", i), san, "a host name or an IP address")
	}
	for _, r := range ranges(c) {
		for i, p := range r.networks {
			checkNetwork(k, r, i, p)
		}
	}
	if c.PodCIDR.IPv6().IsValid() != c.ServiceCIDR.IPv6().IsValid() {
		with, without := "podCIDR", "serviceCIDR"
		if c.ServiceCIDR.IPv6().IsValid() {
			with, without = without, with
		}
		at := "cluster." + without
		if !k.doc.Has(at) {
			at = "cluster." + with
		}
		k.fail(at, "%s has an IPv6 network and %s has none; pods and Services have the same address families", with, without)
	}
}

// clusterRange is one of the networks of a cluster, with what their prefix lengths may be.
type clusterRange struct {
	path       string
	networks   types.Networks
	ipv4, ipv6 lengths
}

type lengths struct {
	min, max int
	why      string
}

func ranges(c *types.Cluster) []clusterRange {
	return []clusterRange{{
		"cluster.podCIDR", c.PodCIDR,
		lengths{8, 24, "every node takes a /24 of it"},
		lengths{48, 64, "every node takes a /64 of it, and Kubernetes counts no more than 65536"},
	}, {
		"cluster.serviceCIDR", c.ServiceCIDR,
		lengths{12, 27, "the API server takes no larger one, and the cluster needs a dozen addresses"},
		lengths{108, 112, "the API server takes no larger one, and a smaller one saves nothing"},
	}}
}

// checkNetwork checks the network at place i of a range.
func checkNetwork(k *checker, r clusterRange, i int, p netip.Prefix) {
	allowed := r.ipv4
	if p.Addr().Is6() {
		allowed = r.ipv6
	}
	switch {
	case !p.IsValid():
	case p.Addr().Is4In6():
		k.fail(r.path, "write %s as IPv4", p)
	case i == 0 && p.Addr().Is6() && len(r.networks) > 1:
		k.fail(r.path, "write the IPv4 network first: %s,%s", r.networks.IPv4(), p)
	case i == 0 && p.Addr().Is6():
		k.fail(r.path, "%s is IPv6; write an IPv4 network before it: clusters of IPv6 alone come with a later version", p)
	case p != p.Masked():
		k.fail(r.path, "%s has bits set after its prefix length; write %s", p, p.Masked())
	case p.Bits() < allowed.min || p.Bits() > allowed.max:
		k.fail(r.path, "/%d is not between /%d and /%d: %s", p.Bits(), allowed.min, allowed.max, allowed.why)
	}
}

// unusable are the networks that no cluster can use.
var unusable = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "this host"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("224.0.0.0/3"), "multicast and reserved"},
	{netip.MustParsePrefix("::/96"), "unspecified and loopback"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

// checkRanges finds networks that overlap: packets would go to the wrong one, hours after the machine was set up.
func checkRanges(k *checker) {
	if k.Machine.Role == types.Agent {
		return // its servers know them
	}
	pods, services := k.Cluster.PodCIDR, k.Cluster.ServiceCIDR
	if pods.Overlaps(services) {
		at := "cluster.serviceCIDR"
		if !k.doc.Has(at) {
			at = "cluster.podCIDR"
		}
		k.fail(at, "podCIDR %s and serviceCIDR %s overlap", pods, services)
	}
	for _, r := range ranges(&k.Cluster) {
		for _, prefix := range r.networks {
			checkRange(k, r.path, prefix)
		}
	}
}

func checkRange(k *checker, path string, prefix netip.Prefix) {
	for _, u := range unusable {
		if prefix.Overlaps(u.prefix) {
			k.fail(path, "%s overlaps %s (%s)", prefix, u.prefix, u.what)
		}
	}
	for i, n := range k.Machine.Network.Interfaces {
		for j, a := range n.Addresses {
			if a.Overlaps(prefix) {
				k.fail(fmt.Sprintf("machine.network.interfaces[%d].addresses[%d]", i, j), "%s overlaps %s %s", a, path, prefix)
			}
		}
	}
	for i, s := range k.Machine.Network.Nameservers {
		if prefix.Contains(s) {
			k.fail(fmt.Sprintf("machine.network.nameservers[%d]", i), "%s is in %s %s", s, path, prefix)
		}
	}
}
