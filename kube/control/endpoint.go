package control

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// DefaultAPIPort is where the Kubernetes API answers on a server, and where an endpoint without a port is.
const DefaultAPIPort = 6443

// hostName is a DNS name (RFC 1123).
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?)*$`)

// ParseEndpoint reads where a Kubernetes API is reached: a host name or an address, with a port if it is not [DefaultAPIPort];
// an IPv6 address with a port is in brackets.
func ParseEndpoint(text string) (host string, port int, err error) {
	host, port = text, DefaultAPIPort
	if _, parseErr := netip.ParseAddr(text); parseErr != nil && strings.Contains(text, ":") {
		var number string
		if host, number, err = net.SplitHostPort(text); err == nil {
			port, err = strconv.Atoi(number)
		}
	}
	address, notAddress := netip.ParseAddr(host)
	switch {
	case err != nil, port < 1, port > 65535,
		notAddress == nil && (address.Zone() != "" || address.IsUnspecified() || address.IsMulticast()),
		notAddress != nil && (len(host) > 253 || !hostName.MatchString(host) || looksNumeric(host)):
		return "", 0, fmt.Errorf("%q is not a host name or an address, with a port if it is not %d, such as kube.example.com:6443", text, DefaultAPIPort)
	}
	return host, port, nil
}

// looksNumeric is whether a host name would be taken for an address that is misspelt, such as 192.0.2.
func looksNumeric(host string) bool {
	last := host[strings.LastIndex(host, ".")+1:]
	_, err := strconv.Atoi(last)
	return err == nil
}

// HostPort is an endpoint with its port, as an address to connect to; empty, or not an endpoint: empty.
func HostPort(endpoint string) string {
	host, port, err := ParseEndpoint(endpoint)
	if err != nil {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
