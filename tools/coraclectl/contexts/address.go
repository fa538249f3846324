package contexts

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// DefaultPort of the machine API.
const DefaultPort = "50000"

var hostForm = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9_]*[A-Za-z0-9])?)*\.?$`)

// HostPort completes an address with the port of the machine API: a host name, an IPv4 or IPv6 address, each with or
// without a port; an IPv6 address with one is in brackets.
func HostPort(address string) (string, error) {
	host, port := address, DefaultPort
	if _, err := netip.ParseAddr(address); err != nil {
		if bare, ok := strings.CutPrefix(address, "["); ok && strings.HasSuffix(bare, "]") {
			host = strings.TrimSuffix(bare, "]")
		} else if h, p, err := net.SplitHostPort(address); err == nil {
			host, port = h, p
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q is not an address: its port %q is not a number from 1 to 65535", address, port)
	}
	if _, err := netip.ParseAddr(host); err != nil && !hostForm.MatchString(host) {
		return "", fmt.Errorf("%q is not an address: host, host:port, or [IPv6]:port", address)
	}
	return net.JoinHostPort(host, port), nil
}

// Host is the host of an address.
func Host(address string) string {
	full, err := HostPort(address)
	if err != nil {
		return address
	}
	host, _, _ := net.SplitHostPort(full)
	return host
}
