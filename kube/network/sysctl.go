// Package network sets what pod networking needs from the kernel.
package network

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

type sysctl struct {
	key   string // with slashes, below /proc/sys
	value string
	needs string // what a person has to do when the key does not exist
	ipv6  bool   // only for clusters with IPv6 pods
}

// sysctls are applied in this order. An IPv6 router ignores router advertisements, and with them its own default
// route, unless accept_ra is 2: it comes before forwarding.
var sysctls = []sysctl{
	// Pods reach other machines, and other machines reach pods, through this one.
	{key: "net/ipv4/ip_forward", value: "1"},
	{key: "net/ipv6/conf/all/accept_ra", value: "2", needs: "a kernel with IPv6", ipv6: true},
	{key: "net/ipv6/conf/default/accept_ra", value: "2", needs: "a kernel with IPv6", ipv6: true},
	{key: "net/ipv6/conf/all/forwarding", value: "1", needs: "a kernel with IPv6", ipv6: true},
	// A pod that calls a Service whose endpoint is on the same bridge must get its answer through the address
	// translation that the request went through.
	{key: "net/bridge/bridge-nf-call-iptables", value: "1", needs: "load the kernel module br_netfilter"},
	{key: "net/bridge/bridge-nf-call-ip6tables", value: "1", needs: "load the kernel module br_netfilter"},
	// Loose: answers may take another way than the request did (vxlan, NodePort). The kernel uses the greater of "all"
	// and the interface's own value, so 2 here also overrules a strict 1 there.
	{key: "net/ipv4/conf/all/rp_filter", value: "2"},
}

// Apply sets all of them; ipv6 says whether pods have IPv6 addresses. It goes on after an error and returns them all.
// A value that is right already is not written. ifaces are the interfaces that get their addresses from outside:
// accept_ra is set on them too, because "all" and "default" do not change an interface that exists.
func Apply(ipv6 bool, ifaces ...string) error {
	return apply("/proc/sys", ipv6, ifaces)
}

func apply(root string, ipv6 bool, ifaces []string) error {
	var errs []error
	if ipv6 {
		for _, name := range ifaces {
			errs = append(errs, set(root, sysctl{
				key: "net/ipv6/conf/" + name + "/accept_ra", value: "2", needs: "the interface " + name,
			}))
		}
	}
	for _, s := range sysctls {
		if s.ipv6 && !ipv6 {
			continue
		}
		errs = append(errs, set(root, s))
	}
	return errors.Join(errs...)
}

func set(root string, s sysctl) error {
	path := filepath.Join(root, s.key)
	now, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && s.needs != "" {
		return fmt.Errorf("sysctl %s does not exist, pods need it to be %s: %s", s.key, s.value, s.needs)
	}
	if err != nil {
		return fmt.Errorf("read sysctl: %w", err)
	}
	if strings.TrimSpace(string(now)) == s.value {
		return nil
	}
	if err := os.WriteFile(path, []byte(s.value), 0o644); err != nil {
		return fmt.Errorf("set sysctl %s to %s, as pods need it: %w", s.key, s.value, err)
	}
	return nil
}
