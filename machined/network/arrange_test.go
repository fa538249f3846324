package network

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/types"
)

func (s linkStep) String() string {
	text := fmt.Sprintf("%s %s", s.Do, s.Name)
	switch {
	case s.Do == setMTU:
		text += fmt.Sprintf(" to %d", s.MTU)
	case s.Other != "":
		text += ", " + s.Other
	}
	return text
}

func vlanOf(name, parent string, id int) types.Interface {
	return types.Interface{Name: name, VLAN: &types.VLAN{Parent: parent, ID: id}}
}

func bondOf(name string, members ...string) types.Interface {
	return types.Interface{Name: name, Bond: &types.Bond{Members: members, Mode: "active-backup", MIIMon: 100, LACPRate: "slow", HashPolicy: "layer2"}}
}

func bridgeOf(name string, members ...string) types.Interface {
	return types.Interface{Name: name, Bridge: &types.Bridge{Members: members}}
}

// with is a changed copy of x.
func with[T any](x T, change func(*T)) T {
	change(&x)
	return x
}

// madeLink is c as it is when Coracle has just made it.
func madeLink(index int, c types.Interface) link {
	return link{Index: index, Name: c.Name, MTU: 1500, Up: true, Mark: madeMark, Shape: shapeOf(&c)}
}

func TestArrange(t *testing.T) {
	member := func(l link, master int) link {
		l.Master, l.Mark, l.Up = master, memberMark, true
		return l
	}
	bond, bridge, vlan := bondOf("bond0", "eth0", "eth1"), bridgeOf("br0", "eth1"), vlanOf("v5", "eth0", 5)
	atBond, atBridge := madeLink(10, bond), madeLink(11, bridge)
	tests := []struct {
		name    string
		config  []types.Interface
		links   []link
		early   bool
		want    string
		missing string // name: what
	}{
		{name: "nothing to make", config: []types.Interface{{Name: "eth0"}}, links: []link{lo, eth0, cni0}},
		{name: "VLAN", config: []types.Interface{vlan}, links: []link{eth0}, want: "make v5"},
		{name: "VLAN without a parent", config: []types.Interface{vlan}, links: []link{eth1}, missing: "v5: its parent eth0 is not there"},
		{name: "VLAN with another ID", config: []types.Interface{vlanOf("v5", "eth0", 6)}, links: []link{eth0, madeLink(10, vlan)}, want: "remove v5; make v5"},
		{name: "VLAN is as it should be", config: []types.Interface{vlan}, links: []link{eth0, madeLink(10, vlan)}},
		{name: "no longer wanted", links: []link{eth0, madeLink(10, vlan), atBridge}, want: "remove v5; remove br0"},
		{name: "somebody else's", links: []link{eth0, {Index: 10, Name: "br0", Shape: shape{Kind: "bridge"}}}},
		{name: "somebody else has the name", config: []types.Interface{bridge}, links: []link{eth1, {Index: 10, Name: "br0", Shape: shape{Kind: "bridge"}}},
			missing: "br0: an interface of that name is there already, and Coracle did not make it"},
		{name: "the bond that came with the kernel's module", config: []types.Interface{bond}, links: []link{eth0, eth1, {Index: 10, Name: "bond0", Shape: bondShape("balance-rr", "slow", "layer2", 0)}},
			want: "remove bond0; make bond0, eth0"},
		{name: "bond, with the first member's address", config: []types.Interface{bond}, links: []link{eth1, eth0}, want: "make bond0, eth0"},
		{name: "bond, while a driver looks for its hardware", config: []types.Interface{bond}, links: []link{eth1}, early: true, missing: "bond0: its member eth0 is not there"},
		{name: "bond, without a member", config: []types.Interface{bond}, links: []link{eth1}, want: "make bond0, eth1"},
		{name: "bond gets its members", config: []types.Interface{bond}, links: []link{eth0, eth1, atBond}, want: "make a member eth0, bond0; make a member eth1, bond0"},
		{name: "bond with a member that is gone", config: []types.Interface{bond}, links: []link{member(eth0, 10), atBond}, missing: "bond0: its member eth1 is not there"},
		{name: "bond is as it should be", config: []types.Interface{bond}, links: []link{member(eth0, 10), member(eth1, 10), atBond}},
		{name: "member is down", config: []types.Interface{bond}, links: []link{with(member(eth0, 10), func(l *link) { l.Up = false }), member(eth1, 10), atBond}, want: "bring up eth0, bond0"},
		{name: "bond in another mode", config: []types.Interface{with(bond, func(c *types.Interface) { c.Bond = &types.Bond{Members: c.Bond.Members, Mode: "802.3ad"} })},
			links: []link{member(eth0, 10), member(eth1, 10), atBond}, want: "remove bond0; make bond0, eth0"},
		{name: "another primary", config: []types.Interface{with(bond, func(c *types.Interface) {
			c.Bond = &types.Bond{Members: c.Bond.Members, Mode: "active-backup", MIIMon: 100, Primary: "eth1"}
		})}, links: []link{member(eth0, 10), member(eth1, 10), atBond}, want: "set the primary member of bond0, eth1"},
		{name: "a member moves", config: []types.Interface{bondOf("bond0", "eth0"), bridge}, links: []link{member(eth0, 10), member(eth1, 10), atBond, atBridge},
			want: "free eth1; make a member eth1, br0"},
		{name: "a member is let go", config: []types.Interface{bondOf("bond0", "eth0")}, links: []link{member(eth0, 10), member(eth1, 10), atBond}, want: "free eth1"},
		{name: "its bond was removed", links: []link{member(eth0, 0)}, want: "free eth0"},
		{name: "pods plug themselves into the bridge", config: []types.Interface{bridge}, links: []link{member(eth1, 11), atBridge, {Index: 20, Name: "veth1", Master: 11}}},
		{name: "a member of somebody else's", config: []types.Interface{bridge}, links: []link{with(eth1, func(l *link) { l.Master = 99 }), atBridge},
			missing: "br0: its member eth1 is part of something else that Coracle did not make"},
		{name: "spanning tree", config: []types.Interface{with(bridge, func(c *types.Interface) { c.Bridge = &types.Bridge{Members: c.Bridge.Members, STP: true} })},
			links: []link{member(eth1, 11), atBridge}, want: "set the spanning tree protocol of br0"},
		{name: "MTU of a port is the bridge's", config: []types.Interface{with(bridge, func(c *types.Interface) { c.MTU = 9000 })}, links: []link{member(eth1, 11), atBridge}, want: "set the MTU of eth1 to 9000"},
		{name: "MTU of a port is its own", config: []types.Interface{with(bridge, func(c *types.Interface) { c.MTU = 9000 }), {Name: "eth1", MTU: 1400}}, links: []link{member(eth1, 11), atBridge}, want: "set the MTU of eth1 to 1400"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			steps, missing := arrange(types.Network{Interfaces: test.config}, test.links, !test.early)
			var got, lacks []string
			for _, s := range steps {
				got = append(got, s.String())
			}
			for name, what := range missing {
				lacks = append(lacks, name+": "+what)
			}
			if s := strings.Join(got, "; "); s != test.want {
				t.Errorf("steps are %q, want %q", s, test.want)
			}
			if s := strings.Join(lacks, "; "); s != test.missing {
				t.Errorf("missing is %q, want %q", s, test.missing)
			}
		})
	}
}

// kernelOf is a kernel that does what it is told.
type kernelOf struct{ links []link }

func (k *kernelOf) do(t *testing.T, s linkStep) {
	find := func(name string) *link {
		i := slices.IndexFunc(k.links, func(l link) bool { return l.Name == name })
		if i < 0 {
			t.Fatalf("%s: there is no %s", s, name)
		}
		return &k.links[i]
	}
	switch s.Do {
	case removeLink:
		if !slices.ContainsFunc(k.links, func(l link) bool { return l.Name == s.Name }) {
			return // a VLAN goes with its parent
		}
		gone := *find(s.Name)
		for i := range k.links {
			if k.links[i].Master == gone.Index {
				k.links[i].Master = 0
			}
		}
		k.links = slices.DeleteFunc(k.links, func(l link) bool { return l.Name == s.Name || l.Shape.Parent == s.Name })
	case makeLink:
		if slices.ContainsFunc(k.links, func(l link) bool { return l.Name == s.Name }) {
			t.Fatalf("%s: it is there", s)
		}
		if s.Want.VLAN != nil {
			find(s.Want.VLAN.Parent)
		}
		k.links = append(k.links, madeLink(100+len(k.links), *s.Want))
	case attach:
		l := find(s.Name)
		if l.Up && !s.Down && s.Want == nil && strings.HasPrefix(s.Other, "bond") {
			t.Fatalf("%s: it is up", s)
		}
		l.Master, l.Up = find(s.Other).Index, true
		if l.Mark == 0 {
			l.Mark = memberMark
		}
	case detach:
		l := find(s.Name)
		l.Master = 0
		if l.Mark == memberMark {
			l.Mark = 0
		}
	case setUp:
		find(s.Name).Up = true
	case setMTU:
		find(s.Name).MTU = s.MTU
	case setSTP:
		find(s.Name).STP = s.Want.Bridge.STP
	case setPrimary:
		find(s.Name).Primary = s.Other
	}
}

// TestArrangeEnds: from any config to any other, a few looks are enough, and then there is nothing to do.
func TestArrangeEnds(t *testing.T) {
	configs := map[string][]types.Interface{
		"none": nil,
		"a VLAN on a bond in a bridge": {
			bridgeOf("br0", "v5", "eth9"), vlanOf("v5", "bond0", 5), bondOf("bond0", "eth0", "eth1"),
		},
		"two bridges":            {bridgeOf("br0", "eth0"), with(bridgeOf("br1", "eth1"), func(c *types.Interface) { c.Bridge.STP, c.MTU = true, 1400 })},
		"a bridge is a bond now": {bondOf("br0", "eth1", "eth0"), vlanOf("v5", "br0", 5)},
		"VLANs":                  {vlanOf("v5", "eth0", 5), vlanOf("v6", "eth1", 6)},
	}
	eth9 := link{Index: 4, Name: "eth9", Wired: true}
	for from, first := range configs {
		for to, second := range configs {
			t.Run(from+" to "+to, func(t *testing.T) {
				k := kernelOf{[]link{lo, eth0, eth1, eth9, cni0}}
				for _, config := range [][]types.Interface{first, second} {
					n := types.Network{Interfaces: config}
					for round := 0; ; round++ {
						steps, missing := arrange(n, k.links, true)
						if len(steps) == 0 {
							if len(missing) > 0 {
								t.Errorf("missing: %v", missing)
							}
							break
						}
						if round == mostRounds {
							t.Fatalf("no end: %v", steps)
						}
						for _, s := range steps {
							k.do(t, s)
						}
					}
					for _, c := range config {
						i := slices.IndexFunc(k.links, func(l link) bool { return l.Name == c.Name })
						if i < 0 || k.links[i].Shape != shapeOf(&c) {
							t.Errorf("%s is not as it should be: %+v", c.Name, k.links)
						}
					}
					for _, l := range k.links {
						if l.Mark == madeMark && !slices.ContainsFunc(config, func(c types.Interface) bool { return c.Name == l.Name }) {
							t.Errorf("%s was left", l.Name)
						}
					}
				}
			})
		}
	}
}

func TestSettingsForMade(t *testing.T) {
	wlan0 := link{Index: 6, Name: "wlan0", MAC: "52:54:00:00:00:06", Wireless: true}
	wifi := types.Interface{Name: "wlan*", WiFi: &types.WiFi{SSID: "a"}}
	br0 := bridgeOf("br0", "eth1")
	tests := []struct {
		name   string
		config []types.Interface
		link   link
		want   *types.Interface
	}{
		{"a made one", []types.Interface{br0}, madeLink(10, br0), &br0},
		{"somebody else's of that name", []types.Interface{br0}, link{Name: "br0"}, nil},
		{"a member that a pattern fits", []types.Interface{{Name: "eth*"}, br0}, eth1, nil},
		{"what carries a VLAN", []types.Interface{vlanOf("v5", "eth0", 5)}, eth0, &carrier},
		{"what carries a VLAN and has an entry", []types.Interface{vlanOf("v5", "eth0", 5), {Name: "eth0", MTU: 9000}}, eth0, &types.Interface{Name: "eth0", MTU: 9000}},
		{"Wi-Fi by pattern", []types.Interface{wifi}, wlan0, &wifi},
		{"Wi-Fi with an entry for wires", []types.Interface{{Name: "*"}}, wlan0, nil},
		{"a wired one with an entry for Wi-Fi", []types.Interface{{Name: "eth0", WiFi: wifi.WiFi}}, eth0, nil},
		{"Wi-Fi without a config", nil, wlan0, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := settingsFor(types.Network{Interfaces: test.config}, test.link)
			if (got == nil) != (test.want == nil) || got != nil && (got.Name != test.want.Name || got.MTU != test.want.MTU || got.UseDHCP() != test.want.UseDHCP()) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
