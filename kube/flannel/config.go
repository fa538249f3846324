package flannel

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/flannel-io/flannel/pkg/subnet"
	"k8s.io/client-go/rest"
)

// Backends: how packets travel between nodes.
const (
	VXLAN  = "vxlan"   // in UDP, through any network
	HostGW = "host-gw" // by routes; all nodes on one Ethernet segment
	None   = "none"    // another CNI is brought
)

const (
	vni       = 1    // flannel's default; the interface is flannel.1
	vxlanPort = 8472 // UDP; the kernel's default, not IANA's 4789, as with every other flannel
	overhead  = 50   // bytes that vxlan over IPv4 adds to a packet, as in flannel's backend
	ipv6More  = 20   // bytes that it adds besides over IPv6, which flannel does not count

	// ethernet is the MTU of an interface that is not known yet.
	ethernet = 1500
)

// Config is what Run needs.
type Config struct {
	Client     *rest.Config // a user who may get, list and watch nodes, and patch nodes/status
	NodeName   string       //
	NodeIPs    []string     // first is the primary; at most one of each family
	PodCIDR    string       // of the whole cluster: 10.42.0.0/16, or one of each family with a comma
	Backend    string       // VXLAN, HostGW or None
	Interface  string       // name; default: the one that has the first node IP
	CNIConfDir string       // /etc/cni/net.d
	IPAMDir    string       // addresses in use; on a tmpfs, because no pod survives a reboot
	Ready      func()       // called once, when pods can be started; may be nil
}

// network is flannel's own configuration, which it otherwise reads from net-conf.json.
func (c Config) network() (*subnet.Config, error) {
	type backend struct {
		Type string
		VNI  int `json:",omitempty"`
		Port int `json:",omitempty"`
	}
	be := backend{Type: c.Backend}
	switch c.Backend {
	case VXLAN:
		be.VNI, be.Port = vni, vxlanPort
	case HostGW:
	default:
		return nil, fmt.Errorf("flannel: unknown backend %q; known are %s, %s and %s", c.Backend, VXLAN, HostGW, None)
	}
	v4, v6, err := families(strings.Split(c.PodCIDR, ","))
	if err != nil {
		return nil, fmt.Errorf("flannel: cluster pod CIDR: %w", err)
	}
	conf := map[string]any{"EnableIPv4": v4 != "", "EnableIPv6": v6 != "", "EnableNFTables": true, "Backend": be}
	if v4 != "" {
		conf["Network"] = v4
	}
	if v6 != "" {
		conf["IPv6Network"] = v6
	}
	b, err := json.Marshal(conf)
	if err != nil {
		return nil, err
	}
	return subnet.ParseConfig(string(b))
}

// reach is conf as far as this node takes part in it. IPv6 pods of other nodes are reached over IPv6: without an address for that
// they are not, and all the rest works. kube is started anew with an address when there is one.
func (c Config) reach(conf *subnet.Config) *subnet.Config {
	if !conf.EnableIPv4 || !conf.EnableIPv6 || slices.ContainsFunc(c.NodeIPs, func(ip string) bool { return strings.Contains(ip, ":") }) {
		return conf
	}
	less := *conf
	less.EnableIPv6 = false
	return &less
}

// families sorts networks by address family: at least one, at most one of each.
func families(cidrs []string) (v4, v6 string, err error) {
	for _, s := range cidrs {
		p, err := netip.ParsePrefix(strings.TrimSpace(s))
		if err != nil {
			return "", "", err
		}
		family := &v4
		if p.Addr().Is6() {
			family = &v6
		}
		if *family != "" {
			return "", "", fmt.Errorf("%s and %s are of one address family", *family, p)
		}
		*family = p.Masked().String()
	}
	return v4, v6, nil
}

// mtu of pods' interfaces, behind an external interface of this MTU.
func (c Config) mtu(external int) int {
	switch {
	case c.Backend != VXLAN:
		return external
	case strings.Contains(c.PodCIDR, ":"): // IPv6 pods of other nodes are reached over IPv6
		return external - overhead - ipv6More
	}
	return external - overhead
}
