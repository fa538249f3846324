package boottest

import (
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config"
)

// wantLink is how an interface is to be.
type wantLink struct {
	kind, addresses string // but for link-local ones; in their order as text, with spaces between
	mtu             uint32
	idle            bool // left alone: it may be down
}

// networkStage is a config, and what the machine is to be like with it.
type networkStage struct {
	name, config string              // {uplink} is the MAC address, {a}, {b}, {c} are the names of the interfaces
	links        map[string]wantLink // by name
	gone         []string            // names of interfaces that must not be there
	routes       []string            // all that are static, in their order as text
	defaultRoute string              // of DHCP
	nameservers  string              // that the list begins with
	search       string
	kernel       map[string]string // shell command → a line of its output
}

const uplinkRoute = "0.0.0.0/0 via 10.0.2.2 dev {uplink-name} metric "

var networkStages = []networkStage{
	{
		name: "made",
		config: `machine:
  network:
    nameservers: [192.0.2.53, "2001:db8::53"]
    search: [plant.example.com, example.net]
    interfaces:
      - {mac: "{uplink}", metric: 50}
      - {name: bond0, bond: {members: [{a}, {b}], primary: {b}}, dhcp: false, ipv6: off, mtu: 4000}
      - name: plant
        vlan: {parent: bond0, id: 20}
        addresses: [192.0.2.7/24, 198.51.100.7/24, "2001:db8:20::7/64"]
        ipv6: off
        mtu: 1400
        routes:
          - {to: 203.0.113.0/24, via: 192.0.2.1, metric: 20}
          - {to: 0.0.0.0/0, via: 192.0.2.1, metric: 900}
          - {to: "2001:db8:f00::/48", via: "2001:db8:20::1", metric: 30}
      - name: br0
        bridge: {members: [{c}]}
        addresses: [172.16.5.7/24, 172.16.6.7/24]
        ipv6: off
        routes: [{to: 203.0.113.0/24, via: 172.16.5.1, metric: 10}]
`,
		links: map[string]wantLink{
			"bond0": {"bond", "", 4000, false}, "{a}": {"device", "", 4000, false}, "{b}": {"device", "", 4000, false},
			"plant": {"vlan", "192.0.2.7/24 198.51.100.7/24 2001:db8:20::7/64", 1400, false},
			"br0":   {"bridge", "172.16.5.7/24 172.16.6.7/24", 1500, false}, "{c}": {"device", "", 1500, false},
		},
		routes: []string{
			"0.0.0.0/0 via 192.0.2.1 dev plant metric 900", "2001:db8:f00::/48 via 2001:db8:20::1 dev plant metric 30",
			"203.0.113.0/24 via 172.16.5.1 dev br0 metric 10", "203.0.113.0/24 via 192.0.2.1 dev plant metric 20",
		},
		defaultRoute: uplinkRoute + "50", nameservers: "192.0.2.53 2001:db8::53 10.0.2.3", search: "plant.example.com example.net",
		kernel: map[string]string{
			"cat /proc/net/bonding/bond0":                    "Bonding Mode: fault-tolerance (active-backup)",
			"grep Active /proc/net/bonding/bond0":            "Currently Active Slave: {b}",
			"grep 'MII Polling' /proc/net/bonding/bond0":     "MII Polling Interval (ms): 100",
			"grep -o 'VID: [0-9]*' /proc/net/vlan/plant":     "VID: 20",
			"grep Device /proc/net/vlan/plant":               "Device: bond0",
			"basename $(readlink /sys/class/net/{a}/master)": "bond0",
			"basename $(readlink /sys/class/net/{b}/master)": "bond0",
			"basename $(readlink /sys/class/net/{c}/master)": "br0",
			"cat /sys/class/net/br0/bridge/stp_state":        "0",
		},
	},
	{
		name: "changed: addresses, routes, the bond's mode, the bridge's STP; no MTU any more",
		config: `machine:
  network:
    nameservers: [192.0.2.54]
    search: null
    interfaces:
      - {mac: "{uplink}", metric: 60, dhcp: true, ipv6: off, addresses: ["2001:db8:9::9/64"]}
      - name: bond0
        bond: {members: [{a}, {b}], mode: balance-xor, hashPolicy: layer2+3, miimon: 50}
        dhcp: false
        ipv6: off
      - {name: plant, vlan: {parent: bond0, id: 20}, addresses: [192.0.2.8/24], ipv6: off}
      - name: br0
        bridge: {members: [{c}], stp: true}
        addresses: [172.16.5.7/24, 172.16.7.7/24]
        ipv6: off
        routes: [{to: 203.0.113.0/24, via: 172.16.5.2, metric: 10}]
`,
		links: map[string]wantLink{
			"{uplink-name}": {"device", "10.0.2.15/24 2001:db8:9::9/64", 1500, false},
			"bond0":         {"bond", "", 1500, false}, "{a}": {"device", "", 1500, false}, "{b}": {"device", "", 1500, false},
			"plant": {"vlan", "192.0.2.8/24", 1500, false},
			"br0":   {"bridge", "172.16.5.7/24 172.16.7.7/24", 1500, false}, "{c}": {"device", "", 1500, false},
		},
		routes:       []string{"203.0.113.0/24 via 172.16.5.2 dev br0 metric 10"},
		defaultRoute: uplinkRoute + "60", nameservers: "192.0.2.54 10.0.2.3",
		kernel: map[string]string{
			"cat /proc/net/bonding/bond0":                "Bonding Mode: load balancing (xor)",
			"grep Transmit /proc/net/bonding/bond0":      "Transmit Hash Policy: layer2+3 (2)",
			"grep 'MII Polling' /proc/net/bonding/bond0": "MII Polling Interval (ms): 50",
			"cat /sys/class/net/br0/bridge/stp_state":    "1",
		},
	},
	{
		name: "less: another VLAN on a bond of one, no bridge",
		config: `machine:
  network:
    nameservers: null
    interfaces:
      - {mac: "{uplink}"}
      - {name: bond0, bond: {members: [{b}], mode: balance-xor, hashPolicy: layer2+3, miimon: 50}, dhcp: false, ipv6: off}
      - {name: plant, vlan: {parent: bond0, id: 21}, addresses: [192.0.2.9/24], ipv6: off}
`,
		links: map[string]wantLink{
			"bond0": {"bond", "", 1500, false}, "plant": {"vlan", "192.0.2.9/24", 1500, false}, "{a}": {"device", "", 1500, true}, "{c}": {"device", "", 1500, true},
		},
		gone: []string{"br0"}, defaultRoute: uplinkRoute + "100", nameservers: "10.0.2.3",
		kernel: map[string]string{
			"grep -o 'VID: [0-9]*' /proc/net/vlan/plant":                                              "VID: 21",
			"ls -d /sys/class/net/{a}/master /sys/class/net/{c}/master 2>&1 | grep -c 'No such file'": "2",
		},
	},
	{
		name: "nothing", config: "machine: {network: null}\n", gone: []string{"bond0", "plant", "br0"},
		links:        map[string]wantLink{"{a}": {"device", "", 1500, false}, "{b}": {"device", "", 1500, false}, "{c}": {"device", "", 1500, false}},
		defaultRoute: uplinkRoute + "100", nameservers: "10.0.2.3",
		kernel: map[string]string{
			"ls -d /sys/class/net/{a}/master /sys/class/net/{b}/master /sys/class/net/{c}/master 2>&1 | grep -c 'No such file'": "3",
		},
	},
}

// TestNetworkStages finds mistakes in the stages without a machine.
func TestNetworkStages(t *testing.T) {
	names := strings.NewReplacer("{uplink}", "52:54:00:12:34:56", "{uplink-name}", "eth0", "{a}", "eth1", "{b}", "eth2", "{c}", "eth3")
	document := []byte("apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine: {role: server}\n")
	for _, stage := range networkStages {
		var err error
		if document, err = config.Patch(document, []byte(names.Replace(stage.config))); err != nil {
			t.Fatalf("%s: %v", stage.name, err)
		}
		if _, err := config.Parse(stage.name, document); err != nil {
			t.Errorf("%s: %v", stage.name, err)
		}
	}
}
