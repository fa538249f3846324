package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// checkProxy checks the web proxy. Its URLs are not shown: a password may be in them.
func checkProxy(k *checker) {
	p := k.Machine.Network.Proxy
	for _, field := range []struct{ name, value string }{{"http", p.HTTP}, {"https", p.HTTPS}} {
		if field.value != "" && !isProxy(field.value) {
			k.fail("machine.network.proxy."+field.name, "is not the URL of a proxy such as http://proxy.example.com:3128 or http://USER:PASSWORD@192.0.2.1:3128")
		}
	}
	if len(p.NoProxy) > 0 && p.HTTP == "" && p.HTTPS == "" {
		k.fail("machine.network.proxy.noProxy", "has no effect without http or https")
	}
	for i, s := range p.NoProxy {
		k.want(isExempt(s), fmt.Sprintf("machine.network.proxy.noProxy[%d]", i), s,
			"a host such as registry.local, a domain such as .example.com, an address or a network such as 192.168.0.0/16")
	}
}

func isProxy(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	_, err = netip.ParseAddr(u.Hostname())
	return (err == nil || isDomain(u.Hostname())) && (u.Port() == "" || isPort(u.Port()))
}

// isExempt is whether s is in a form that golang.org/x/net/http/httpproxy knows.
func isExempt(s string) bool {
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if host, port, err := net.SplitHostPort(s); err == nil {
		if !isPort(port) {
			return false
		}
		s = host
	}
	_, err := netip.ParseAddr(s)
	return err == nil || isDomain(strings.TrimPrefix(strings.TrimPrefix(s, "*."), "."))
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}
