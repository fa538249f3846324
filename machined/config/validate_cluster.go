package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func checkCluster(k *checker) {
	c := &k.Cluster
	k.want(isDomain(c.Domain) && !strings.HasSuffix(c.Domain, ".") && c.Domain == strings.ToLower(c.Domain), "cluster.domain", c.Domain, "a domain such as cluster.local")
	for i, e := range c.Datastore.Ephemeral {
		if slices.Index(c.Datastore.Ephemeral, e) < i {
			k.fail(fmt.Sprintf("cluster.datastore.ephemeral[%d]", i), "%s is in the list already", e)
		}
	}
	for i, san := range c.APIServer.ExtraSANs {
		_, err := netip.ParseAddr(san)
		k.want(err == nil || len(san) <= 253 && wildcard.MatchString(strings.ToLower(san)), fmt.Sprintf("cluster.apiServer.extraSANs[%d]", i), san, "a host name or an IP address")
	}
	for _, r := range []struct {
		path     string
		prefix   netip.Prefix
		min, max int // prefix lengths
		why      string
	}{
		{"cluster.podCIDR", c.PodCIDR, 8, 24, "every node takes a /24 of it"},
		{"cluster.serviceCIDR", c.ServiceCIDR, 12, 27, "the API server takes no larger one, and the cluster needs a dozen addresses"},
	} {
		switch p := r.prefix; {
		case !p.IsValid():
		case !p.Addr().Is4():
			k.fail(r.path, "%s is IPv6; clusters of IPv6 come with a later version", p)
		case p != p.Masked():
			k.fail(r.path, "%s has bits set after its prefix length; write %s", p, p.Masked())
		case p.Bits() < r.min || p.Bits() > r.max:
			k.fail(r.path, "/%d is not between /%d and /%d: %s", p.Bits(), r.min, r.max, r.why)
		}
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
}

// checkRanges finds networks that overlap: packets would go to the wrong one, hours after the machine was set up.
func checkRanges(k *checker) {
	type named struct {
		path   string
		prefix netip.Prefix
	}
	pods, services := named{"cluster.podCIDR", k.Cluster.PodCIDR}, named{"cluster.serviceCIDR", k.Cluster.ServiceCIDR}
	if pods.prefix.Overlaps(services.prefix) {
		at := services.path
		if !k.doc.Has(at) {
			at = pods.path
		}
		k.fail(at, "podCIDR %s and serviceCIDR %s overlap", pods.prefix, services.prefix)
	}
	for _, r := range []named{pods, services} {
		for _, u := range unusable {
			if r.prefix.Overlaps(u.prefix) {
				k.fail(r.path, "%s overlaps %s (%s)", r.prefix, u.prefix, u.what)
			}
		}
		for i, n := range k.Machine.Network.Interfaces {
			for j, a := range n.Addresses {
				if a.Overlaps(r.prefix) {
					k.fail(fmt.Sprintf("machine.network.interfaces[%d].addresses[%d]", i, j), "%s overlaps %s %s", a, r.path, r.prefix)
				}
			}
		}
		for i, s := range k.Machine.Network.Nameservers {
			if r.prefix.Contains(s) {
				k.fail(fmt.Sprintf("machine.network.nameservers[%d]", i), "%s is in %s %s", s, r.path, r.prefix)
			}
		}
	}
}
