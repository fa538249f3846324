package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/change"
	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// network is a config with that network section, from line 5 on.
func network(s string) string {
	return "apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine:\n  role: server\n  network: " + s
}

func TestValidateNetwork(t *testing.T) {
	const at = "m:5: machine.network.interfaces[0]"
	one := func(s string) string { return network("{interfaces: [" + s + "]}") }
	for name, test := range map[string]struct{ in, want string }{
		"long name":            {one("{name: wlan-in-the-attic}"), at + `.name: "wlan-in-the-attic" is not an interface name of at most 15 characters, or a pattern of one such as eth*`},
		"name of the kernel's": {one("{name: eth%d}"), at + `.name: "eth%d" is not an interface name of at most 15 characters, or a pattern of one such as eth*`},
		"metric":               {one("{name: e, metric: 0}"), at + ".metric: 0 is not between 1 and 65535"},
		"metric of nothing":    {one("{name: e, metric: 5, dhcp: false, ipv6: off}"), at + ".metric: has no effect without DHCP and IPv6; a static route has a metric of its own"},
		"ipv6":                 {one("{name: e, ipv6: slaac}"), at + `.ipv6: is "slaac", should be auto, dhcp or off`},

		"VLAN of nothing":       {one("{name: v, vlan: {}}"), at + ".vlan.id: is missing; write the number of the VLAN, 1 to 4094\n" + at + ".vlan.parent: is missing; write the interface that carries the VLAN, such as eth0"},
		"VLAN 0":                {one("{name: v, vlan: {parent: e, id: 0}}"), at + ".vlan.id: 0 is not between 1 and 4094"},
		"VLAN 4095":             {one("{name: v, vlan: {parent: e, id: 4095}}"), at + ".vlan.id: 4095 is not between 1 and 4094"},
		"VLAN of a pattern":     {one("{name: v, vlan: {parent: eth*, id: 1}}"), at + `.vlan.parent: "eth*" is not the name of an interface`},
		"VLAN of Wi-Fi":         {one("{name: v, vlan: {parent: w, id: 1}}, {name: w, wifi: {ssid: a, security: open}}"), at + ".vlan.parent: w is a Wi-Fi interface, which carries no VLANs"},
		"VLAN twice":            {one("{name: v, vlan: {parent: e, id: 1}}, {name: w, vlan: {parent: e, id: 1}}"), "m:5: machine.network.interfaces[1].vlan: VLAN 1 of e is at machine.network.interfaces[0].vlan already"},
		"VLAN of a member":      {one("{name: v, vlan: {parent: e, id: 1}}, {name: b, bond: {members: [e]}}"), at + ".vlan.parent: e is in machine.network.interfaces[1].bond.members; take the interface that it is a member of"},
		"VLAN of itself":        {one("{name: v, vlan: {parent: v, id: 1}}"), at + ": v is made of v, which is made of v"},
		"circle":                {one("{name: v, vlan: {parent: br0, id: 1}}, {name: br0, bridge: {members: [v]}}"), "m:5: machine.network.interfaces[1]: br0 is made of v, which is made of br0"},
		"two kinds":             {one("{name: v, bridge: {}, vlan: {parent: e, id: 1}}"), at + ": has vlan and bridge; an interface is one of them"},
		"made, by pattern":      {one("{name: br*, bridge: {}}"), at + ".name: a bridge needs a name of its own, without * and ?"},
		"made, without a name":  {one("{mac: '52:54:00:12:34:56', bridge: {}}"), at + ".name: a bridge needs a name of its own, without * and ?\n" + at + ".mac: finds an interface that is there, but a bridge is made; leave it out"},
		"name of the pods'":     {one("{name: cni0, bridge: {}}"), at + ".name: cni0 is a name that the system or the pod network uses; take another, such as bridge0"},
		"made twice":            {one("{name: b, bridge: {}}, {name: b, bridge: {}}"), "m:5: machine.network.interfaces[1]: matches the same interfaces as machine.network.interfaces[0]; put both into one"},
		"bond of nothing":       {one("{name: b, bond: {}}"), at + ".bond.members: is missing; write the interfaces that work as one: [eth0, eth1]"},
		"bond mode":             {one("{name: b, bond: {members: [e], mode: lacp}}"), at + `.bond.mode: is "lacp", should be active-backup, 802.3ad, balance-rr, balance-xor, broadcast, balance-tlb or balance-alb`},
		"bond options":          {one("{name: b, bond: {members: [e], miimon: 1, lacpRate: fast, hashPolicy: layer2}}"), at + ".bond.miimon: 1 is not between 10 and 10000 milliseconds\n" + at + ".bond.lacpRate: has no effect in mode active-backup, only in 802.3ad\n" + at + ".bond.hashPolicy: has no effect in mode active-backup, only in 802.3ad, balance-xor, balance-tlb"},
		"primary":               {one("{name: b, bond: {members: [e, f], primary: g}}"), at + ".bond.primary: g is not among the members: e, f"},
		"member twice":          {one("{name: b, bridge: {members: [e, e]}}"), at + ".bridge.members[1]: e is in machine.network.interfaces[0].bridge.members already"},
		"member of two":         {one("{name: b, bridge: {members: [e]}}, {name: c, bond: {members: [e]}}"), "m:5: machine.network.interfaces[1].bond.members[0]: e is in machine.network.interfaces[0].bridge.members already"},
		"member of itself":      {one("{name: b, bridge: {members: [b]}}"), at + ".bridge.members[0]: b cannot be a member of itself"},
		"member by pattern":     {one("{name: b, bridge: {members: [eth*]}}"), at + `.bridge.members[0]: "eth*" is not the name of an interface; members are named one by one`},
		"bridge in a bridge":    {one("{name: b, bridge: {members: [c]}}, {name: c, bridge: {}}"), at + ".bridge.members[0]: the kernel takes no bridge into a bridge"},
		"bond in a bond":        {one("{name: b, bond: {members: [c]}}, {name: c, bond: {members: [e]}}"), at + ".bond.members[0]: the kernel takes no bond into a bond"},
		"Wi-Fi in a bridge":     {one("{name: b, bridge: {members: [w]}}, {name: w, wifi: {ssid: a, security: open}}"), at + ".bridge.members[0]: w is a Wi-Fi interface, which cannot be in a bridge"},
		"member with addresses": {one("{name: e, addresses: [192.0.2.1/24], ipv6: auto}, {name: b, bridge: {members: [e]}}"), at + ".addresses: e is in machine.network.interfaces[1].bridge.members, so it has no addresses and routes of its own; give them to that interface\n" + at + ".ipv6: e is in machine.network.interfaces[1].bridge.members, so it has no addresses and routes of its own; give them to that interface"},
		"member's MTU":          {one("{name: e, mtu: 9000}, {name: b, bond: {members: [e]}}"), at + ".mtu: e is in machine.network.interfaces[1].bond.members; its MTU is the bond's"},

		"Wi-Fi of nothing":          {one("{name: w, wifi: {}}"), at + ".wifi.ssid: is missing; write the name of the network\n" + at + ".wifi.password: is missing; for a network without protection write security: open"},
		"long SSID":                 {one("{name: w, wifi: {ssid: " + strings.Repeat("ü", 17) + ", security: open}}"), at + ".wifi.ssid: has 34 bytes, and must have 1 to 32"},
		"short password":            {one("{name: w, wifi: {ssid: a, password: secret}}"), at + ".wifi.password: has 6 characters, and must have 8 to 63, or be a key of 64 hex digits"},
		"password of 64":            {one("{name: w, wifi: {ssid: a, password: " + strings.Repeat("g", 64) + "}}"), at + ".wifi.password: has 64 characters, and must have 8 to 63, or be a key of 64 hex digits"},
		"password with an umlaut":   {one("{name: w, wifi: {ssid: a, password: geheimnisvöll}}"), at + ".wifi.password: has a character that is not printable ASCII; in passwords of Wi-Fi it cannot be"},
		"key for WPA3":              {one("{name: w, wifi: {ssid: a, security: wpa3, password: " + strings.Repeat("0", 63) + "f}}"), at + ".wifi.password: is a key, but WPA3 needs the password that it was made of"},
		"open with a password":      {one("{name: w, wifi: {ssid: a, security: open, password: 12345678}}"), at + ".wifi.password: is not used in a network without protection; take away the password, or security: open"},
		"security":                  {one("{name: w, wifi: {ssid: a, security: wep, password: 12345678}}"), at + `.wifi.security: is "wep", should be auto, wpa2, wpa3 or open`},
		"country":                   {one("{name: w, wifi: {ssid: a, security: open, country: de}}"), at + `.wifi.country: "de" is not a country as two capital letters, such as DE`},
		"one network and several":   {one("{name: w, wifi: {ssid: a, networks: [{ssid: b, security: open}]}}"), at + ".wifi.ssid: belongs to one network, and networks lists several; move it into that list"},
		"no networks":               {one("{name: w, wifi: {networks: []}}"), at + ".wifi.networks: is empty; write ssid for one network, or list several"},
		"network twice":             {one("{name: w, wifi: {networks: [{ssid: b, security: open}, {ssid: b, security: open}]}}"), at + `.wifi.networks[1].ssid: "b" is the network of machine.network.interfaces[0].wifi.networks[0] too`},
		"network without a name":    {one("{name: w, wifi: {networks: [{password: 12345678}]}}"), at + ".wifi.networks[0].ssid: is missing; write the name of the network"},
		"proxy":                     {network("{proxy: {http: 'user:hunter2@proxy:3128', https: 'http://proxy/path'}}"), "m:5: machine.network.proxy.http: is not the URL of a proxy such as http://proxy.example.com:3128 or http://USER:PASSWORD@192.0.2.1:3128\nm:5: machine.network.proxy.https: is not the URL of a proxy such as http://proxy.example.com:3128 or http://USER:PASSWORD@192.0.2.1:3128"},
		"exemptions of no proxy":    {network("{proxy: {noProxy: [a]}}"), "m:5: machine.network.proxy.noProxy: has no effect without http or https"},
		"exemption that is an URL":  {network("{proxy: {http: 'http://p:1', noProxy: ['http://a']}}"), `m:5: machine.network.proxy.noProxy[0]: "http://a" is not a host such as registry.local, a domain such as .example.com, an address or a network such as 192.168.0.0/16`},
		"exemption with a bad port": {network("{proxy: {http: 'http://p:1', noProxy: ['a:0']}}"), `m:5: machine.network.proxy.noProxy[0]: "a:0" is not a host such as registry.local, a domain such as .example.com, an address or a network such as 192.168.0.0/16`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse("m", []byte(test.in)); err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestValidNetworks(t *testing.T) {
	for name, in := range map[string]string{
		"VLAN on a bond in a bridge": `
    interfaces:
      - {name: bond0, bond: {members: [eth0, eth1], mode: 802.3ad, lacpRate: fast, hashPolicy: layer3+4}, mtu: 9000, dhcp: false, ipv6: off}
      - {name: v5, vlan: {parent: bond0, id: 5}}
      - {name: br0, bridge: {members: [v5, eth2], stp: true}, addresses: [192.0.2.7/24]}
      - {name: eth2, mtu: 1500, dhcp: false, ipv6: off}
      - {name: "eth*", dhcp: true}`,
		"bridge for pods": `{interfaces: [{name: br0, bridge: {}, dhcp: false}]}`,
		"Wi-Fi": `
    interfaces:
      - {name: "wlan*", metric: 700, ipv6: dhcp, wifi: {country: DE, networks: [{ssid: a b, password: 'a "b" #c $d'}, {ssid: c, security: open, hidden: true}]}}
      - {mac: "52:54:00:12:34:56", wifi: {ssid: x, security: wpa2, password: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF}}`,
		"proxy": `{proxy: {http: "http://u:p%40w@proxy:3128/", https: "https://[2001:db8::1]:443", noProxy: [a, .b.example, "*.c.example", 192.0.2.1, "10.0.0.0/8", "fd00::/8", "d:8080"]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse("m", []byte(network(in))); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDefaultsOfGroups: a group that is only there when it is written has its defaults then.
func TestDefaultsOfGroups(t *testing.T) {
	c, err := Parse("m", []byte(network("{interfaces: [{name: b, bond: {members: [e]}}, {name: w, wifi: {networks: [{ssid: a, password: 12345678}]}}]}")))
	if err != nil {
		t.Fatal(err)
	}
	i := c.Machine.Network.Interfaces
	if i[0].Bond.MIIMon != 100 || i[0].Bond.Mode != "active-backup" || i[1].WiFi.All()[0].Security != "auto" {
		t.Errorf("%+v, %+v", i[0].Bond, i[1].WiFi)
	}
}

// TestNetworkSecrets: passwords are in no diff, and hiding them leaves the config in force alone.
func TestNetworkSecrets(t *testing.T) {
	without, err := Parse("m", []byte(network("{}")))
	if err != nil {
		t.Fatal(err)
	}
	text := []byte(network(`{interfaces: [{name: wlan0, wifi: {ssid: a, password: hunter2hunter2}}, {name: wlan1, wifi: {networks: [{ssid: a, password: hunter2hunter2}]}}], proxy: {http: "http://u:hunter2@p"}}`))
	c, err := Parse("m", text)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(change.Between(without, c), change.Between(c, without)); strings.Contains(text, "hunter2") {
		t.Error(text)
	}
	if got := secrets(reflect.ValueOf(c), false); len(got) != 3 {
		t.Errorf("secrets in it: %q", got)
	}
	if shown := string(Redact(text)); strings.Contains(shown, "hunter2") {
		t.Error(shown)
	}
}

// TestNetworkAppliesNow: every field of the network is live, but for the proxy, which Kubernetes reads when it starts.
func TestNetworkAppliesNow(t *testing.T) {
	strict.Walk(reflect.TypeFor[types.MachineConfig](), func(path string, f strict.Field) {
		want := "now"
		if strings.HasPrefix(path, "machine.network.proxy") {
			want = "kube"
		}
		if strings.HasPrefix(path, "machine.network") && f.Applies != want {
			t.Errorf("%s applies %q, want %q", path, f.Applies, want)
		}
	})
}
