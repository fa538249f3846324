package network

import (
	"fmt"
	"net/netip"
	"strings"
)

// resolvConfPath is what /etc/resolv.conf leads to.
const resolvConfPath = "/run/coracle/etc/resolv.conf"

const (
	maxNameservers  = 3   // resolvers read no more
	maxSearchLength = 256 // bytes, and 6 domains: resolvers before glibc 2.26
	maxSearch       = 6
)

// resolvConf is the content of resolv.conf(5).
func resolvConf(nameservers []netip.Addr, search []string) string {
	var b strings.Builder
	b.WriteString("# written by machined: nameservers of the machine config, then of DHCP\n")
	for i, a := range nameservers {
		if i == maxNameservers {
			break
		}
		fmt.Fprintf(&b, "nameserver %s\n", a)
	}
	domains := ""
	for i, d := range search {
		if i == maxSearch || len(domains)+1+len(d) > maxSearchLength {
			break
		}
		domains += " " + d
	}
	if domains != "" {
		b.WriteString("search" + domains + "\n")
	}
	return b.String()
}
