package flannel

import (
	"net"
	"strings"
	"testing"
)

func TestNetwork(t *testing.T) {
	for _, tc := range []struct {
		name, backend, podCIDR string
		v4, v6                 bool
		network, err           string
	}{
		{"vxlan", VXLAN, "10.42.0.0/16", true, false, "10.42.0.0/16", ""},
		{"host-gw", HostGW, "10.42.0.0/16", true, false, "10.42.0.0/16", ""},
		{"host bits", VXLAN, "10.42.7.1/16", true, false, "10.42.0.0/16", ""},
		{"dual stack", VXLAN, "10.42.0.0/16,fd42::/56", true, true, "10.42.0.0/16", ""},
		{"IPv6", VXLAN, "fd42::/56", false, true, "0.0.0.0/0", ""},
		{"unknown backend", "udp", "10.42.0.0/16", false, false, "", `unknown backend "udp"`},
		{"not a network", VXLAN, "10.42.0.0", false, false, "", "10.42.0.0"},
		{"two of a family", VXLAN, "10.42.0.0/16,10.44.0.0/16", false, false, "", "one address family"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Config{Backend: tc.backend, PodCIDR: tc.podCIDR}.network()
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.EnableIPv4 != tc.v4 || got.EnableIPv6 != tc.v6 || got.Network.String() != tc.network || got.BackendType != tc.backend {
				t.Errorf("got %+v", got)
			}
			if got.IPv6Network.Empty() == tc.v6 {
				t.Errorf("IPv6 network %s", got.IPv6Network)
			}
		})
	}
}

func TestExternal(t *testing.T) {
	card := func(name string, addrs ...string) nic {
		n := nic{Interface: net.Interface{Name: name, MTU: 1500}}
		for _, a := range addrs {
			n.addrs = append(n.addrs, net.ParseIP(a))
		}
		return n
	}
	all := []nic{
		card("lo", "127.0.0.1", "::1"),
		card("eth0", "10.0.2.15", "10.0.2.99", "fe80::1", "fec0::5054"),
		card("wlan0", "192.168.1.7"),
		card("usb0", "fe80::2"),
	}
	for _, tc := range []struct {
		name, iface string
		ips         []string
		v4, v6      bool
		want        string // name, IPv4, IPv6
		err         string
	}{
		{"of the node address", "", []string{"192.168.1.7"}, true, false, "wlan0 192.168.1.7 <nil>", ""},
		{"the node address, not the first", "", []string{"10.0.2.99"}, true, false, "eth0 10.0.2.99 <nil>", ""},
		{"named", "eth0", []string{"192.168.1.7"}, true, false, "eth0 10.0.2.15 <nil>", ""},
		{"dual stack", "", []string{"10.0.2.15", "fec0::5054"}, true, true, "eth0 10.0.2.15 fec0::5054", ""},
		{"loopback, without any network", "", []string{"127.0.0.1"}, true, false, "lo 127.0.0.1 <nil>", ""},
		{"no such interface", "eth9", nil, true, false, "", "no interface eth9"},
		{"no such address", "", []string{"10.9.9.9"}, true, false, "", "[10.9.9.9]"},
		{"no address at all", "", nil, true, false, "", "no interface"},
		{"link-local only", "usb0", nil, false, true, "", "no global IPv6 address"},
		{"no IPv6", "", []string{"192.168.1.7"}, true, true, "", "wlan0 has no global IPv6"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := external(all, tc.iface, tc.ips, tc.v4, tc.v6)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s := got.IfaceName + " " + got.ExtAddr.String() + " " + got.ExtV6Addr.String(); s != tc.want {
				t.Errorf("got %s, want %s", s, tc.want)
			}
		})
	}
}

func TestReach(t *testing.T) {
	for _, tc := range []struct {
		name, podCIDR string
		ips           []string
		v4, v6        bool
	}{
		{"one family", "10.42.0.0/16", []string{"192.0.2.7"}, true, false},
		{"both", "10.42.0.0/16,fd42::/56", []string{"192.0.2.7", "2001:db8::7"}, true, true},
		{"both, but the node has no IPv6 address", "10.42.0.0/16,fd42::/56", []string{"192.0.2.7"}, true, false},
		{"IPv6 only", "fd42::/56", []string{"2001:db8::7"}, false, true},
		{"IPv6 only, and the node has none yet", "fd42::/56", nil, false, true},
	} {
		c := Config{Backend: VXLAN, PodCIDR: tc.podCIDR, NodeIPs: tc.ips}
		conf, err := c.network()
		if err != nil {
			t.Fatal(err)
		}
		v6 := conf.EnableIPv6
		if got := c.reach(conf); got.EnableIPv4 != tc.v4 || got.EnableIPv6 != tc.v6 || conf.EnableIPv6 != v6 {
			t.Errorf("%s: IPv4 %v, IPv6 %v, want %v, %v; the cluster's is %v, was %v", tc.name, got.EnableIPv4, got.EnableIPv6, tc.v4, tc.v6, conf.EnableIPv6, v6)
		}
	}
}

func TestMTU(t *testing.T) {
	for _, tc := range []struct {
		backend, podCIDR string
		want             int
	}{
		{VXLAN, "10.42.0.0/16", 1450}, {VXLAN, "10.42.0.0/16,fd42::/56", 1430}, {HostGW, "10.42.0.0/16,fd42::/56", 1500},
	} {
		if got := (Config{Backend: tc.backend, PodCIDR: tc.podCIDR}).mtu(1500); got != tc.want {
			t.Errorf("%s, %s: %d, want %d", tc.backend, tc.podCIDR, got, tc.want)
		}
	}
}
