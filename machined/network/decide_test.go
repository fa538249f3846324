package network

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
)

var (
	eth0 = link{Index: 2, Name: "eth0", MAC: "52:54:00:00:00:01", Driver: "virtio_net", Wired: true, Up: true, Carrier: true}
	eth1 = link{Index: 3, Name: "eth1", MAC: "52:54:00:00:00:02", Driver: "r8169", Wired: true, Up: true}
	cni0 = link{Index: 5, Name: "cni0", MAC: "52:54:00:00:00:03", Up: true, Carrier: true}
	lo   = link{Index: 1, Name: "lo", Loopback: true}
)

func TestSettingsFor(t *testing.T) {
	with := func(l link, change func(*link)) link { change(&l); return l }
	config := func(i ...types.Interface) types.Network { return types.Network{Interfaces: i} }
	tests := []struct {
		name   string
		config types.Network
		link   link
		want   bool
	}{
		{"no config: wired", config(), eth0, true},
		{"no config: a bridge of the pod network", config(), cni0, false},
		{"no config: loopback", config(), lo, false},
		{"no config: a port of a bridge", config(), with(eth0, func(l *link) { l.Master = 9 }), false},
		{"name", config(types.Interface{Name: "eth0"}), eth0, true},
		{"other name", config(types.Interface{Name: "eth1"}), eth0, false},
		{"pattern", config(types.Interface{Name: "eth*"}), eth0, true},
		{"pattern does not catch virtual ones", config(types.Interface{Name: "*"}), cni0, false},
		{"a virtual one by its whole name", config(types.Interface{Name: "cni0"}), cni0, true},
		{"MAC in capitals", config(types.Interface{MAC: "52:54:00:00:00:01"}), with(eth0, func(l *link) { l.MAC = strings.ToUpper(l.MAC) }), true},
		{"driver", config(types.Interface{Driver: "r8169"}), eth1, true},
		{"name fits, driver does not", config(types.Interface{Name: "eth0", Driver: "r8169"}), eth0, false},
		{"second entry", config(types.Interface{Name: "eth9"}, types.Interface{Name: "eth1"}), eth1, true},
		{"nothing to match by", config(types.Interface{}), eth0, false},
		{"loopback by name", config(types.Interface{Name: "lo"}), lo, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := settingsFor(test.config, test.link); (got != nil) != test.want {
				t.Errorf("settings are %+v", got)
			}
		})
	}
}

func TestPlanFor(t *testing.T) {
	no := false
	l := &lease{Address: pfx("192.0.2.7/24"), Acquired: 0, Lifetime: time.Hour, MTU: 1400,
		Routes: []leaseRoute{{defaultIPv4, addr("192.0.2.1")}, {pfx("192.0.2.0/24"), netip.Addr{}}}}
	cloud := &lease{Address: pfx("203.0.113.9/32"), Routes: []leaseRoute{{defaultIPv4, addr("10.0.0.1")}}}
	const now = 10 * time.Minute
	tests := []struct {
		name     string
		settings types.Interface
		lease    *lease
		now      time.Duration
		want     plan
	}{
		{"automatic, no lease yet", automatic, nil, now, plan{}},
		{"automatic", automatic, l, now, plan{
			Addresses: []address{{Prefix: pfx("192.0.2.7/24"), Lifetime: 50 * time.Minute}},
			Routes:    []route{{To: defaultIPv4, Via: addr("192.0.2.1"), Metric: 101, Protocol: protocolDHCP}}, MTU: 1400}},
		{"the lease has ended", automatic, l, time.Hour, plan{}},
		{"a lease for ever, its gateway elsewhere", automatic, cloud, now, plan{
			Addresses: []address{{Prefix: pfx("203.0.113.9/32")}},
			Routes:    []route{{To: defaultIPv4, Via: addr("10.0.0.1"), Metric: 101, Protocol: protocolDHCP, OnLink: true}}}},
		{"static", types.Interface{Addresses: prefixes("192.0.2.9/24", "2001:db8::9/64"), IPv6: types.IPv6Off, MTU: 9000,
			Routes: []types.Route{{To: pfx("0.0.0.0/0"), Via: addr("192.0.2.1")}, {To: pfx("10.1.2.3/8"), Metric: 5}, {To: defaultIPv6, Via: addr("fe80::1")}}}, nil, now, plan{
			Addresses: []address{{Prefix: pfx("192.0.2.9/24")}, {Prefix: pfx("2001:db8::9/64")}}, MTU: 9000, IPv6: ipv6Static,
			Routes: []route{{To: defaultIPv4, Via: addr("192.0.2.1"), Protocol: protocolStatic}, {To: pfx("10.0.0.0/8"), Metric: 5, Protocol: protocolStatic},
				{To: defaultIPv6, Via: addr("fe80::1"), Metric: ipv6Metric, Protocol: protocolStatic}}}},
		{"static without IPv6", types.Interface{Addresses: prefixes("192.0.2.9/24"), IPv6: types.IPv6Off}, nil, now, plan{
			Addresses: []address{{Prefix: pfx("192.0.2.9/24")}}, IPv6: ipv6Off}},
		{"a lease from before, but now static", types.Interface{Addresses: prefixes("192.0.2.9/24")}, l, now, plan{Addresses: []address{{Prefix: pfx("192.0.2.9/24")}}}},
		{"DHCP off, nothing static", types.Interface{DHCP: &no}, l, now, plan{}},
		{"the config's MTU wins", types.Interface{MTU: 1300}, cloud, now, plan{MTU: 1300, Addresses: []address{{Prefix: pfx("203.0.113.9/32")}},
			Routes: []route{{To: defaultIPv4, Via: addr("10.0.0.1"), Metric: 101, Protocol: protocolDHCP, OnLink: true}}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.want.RouterMetric = 1125
			if got := planFor(&test.settings, leases{v4: test.lease}, 101, test.now, map[slot]bool{}); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// TestPlansDoNotFight: the kernel has one route with a destination and metric, over all interfaces.
func TestPlansDoNotFight(t *testing.T) {
	gateway := func(via string, metric int) types.Interface {
		return types.Interface{Routes: []types.Route{{To: defaultIPv4, Via: addr(via), Metric: metric}}}
	}
	twice := gateway("192.0.2.1", 0)
	twice.Routes = append(twice.Routes, gateway("192.0.2.2", 0).Routes...)
	six := types.Interface{Routes: []types.Route{{To: defaultIPv6, Via: addr("fe80::1")}, {To: defaultIPv6, Via: addr("fe80::2"), Metric: ipv6Metric}}}
	dhcp := &lease{Address: pfx("198.51.100.7/24"), Routes: []leaseRoute{{defaultIPv4, addr("198.51.100.1")}}}
	tests := []struct {
		name       string
		interfaces []types.Interface
		lease      *lease // of all of them
		want       string // gateways and metrics
	}{
		{"two default routes", []types.Interface{gateway("192.0.2.1", 0), gateway("192.0.2.2", 0)}, nil, "192.0.2.1 0"},
		{"with metrics", []types.Interface{gateway("192.0.2.1", 0), gateway("192.0.2.2", 1)}, nil, "192.0.2.1 0, 192.0.2.2 1"},
		{"on one interface", []types.Interface{twice}, nil, "192.0.2.1 0"},
		{"IPv6's metric 0 is 1024", []types.Interface{six}, nil, "fe80::1 1024"},
		{"DHCP on two", []types.Interface{automatic, automatic}, dhcp, "198.51.100.1 100, 198.51.100.1 101"},
		{"static with the metric of DHCP", []types.Interface{gateway("192.0.2.1", 101), automatic}, dhcp, "192.0.2.1 101, 198.51.100.1 100, 198.51.100.1 102"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			taken := map[slot]bool{}
			for order := range test.interfaces {
				for _, r := range planFor(&test.interfaces[order], leases{v4: test.lease}, metricFor(&test.interfaces[order], eth0, order), 0, taken).Routes {
					got = append(got, fmt.Sprintf("%s %d", r.Via, r.Metric))
				}
			}
			if s := strings.Join(got, ", "); s != test.want {
				t.Errorf("got %q, want %q", s, test.want)
			}
		})
	}
}

func TestPace(t *testing.T) {
	var p pace
	for i, step := range []struct {
		changed bool
		want    time.Duration
	}{{true, 0}, {false, 0}, {true, 0}, {true, fightPause}, {true, fightPause}, {false, 0}, {true, 0}} {
		if got := p.pause(step.changed); got != step.want {
			t.Errorf("look %d: %v, want %v", i, got, step.want)
		}
	}
}

func TestDiff(t *testing.T) {
	a, b := address{Prefix: pfx("192.0.2.7/24"), Lifetime: time.Hour}, address{Prefix: pfx("192.0.2.8/24")}
	gateway := route{To: defaultIPv4, Via: addr("192.0.2.1"), Metric: 100, Protocol: protocolDHCP}
	other := route{To: defaultIPv4, Via: addr("192.0.2.2"), Metric: 100, Protocol: protocolDHCP}
	tests := []struct {
		name      string
		want      plan
		addresses []address
		routes    []route
		owned     []netip.Prefix
		expect    changes
	}{
		{"new", plan{Addresses: []address{a}, Routes: []route{gateway}, MTU: 1400}, nil, nil, nil, changes{AddAddresses: []address{a}, AddRoutes: []route{gateway}, MTU: 1400}},
		{"nothing to do", plan{Addresses: []address{a}, Routes: []route{gateway}, MTU: 1500}, []address{{Prefix: a.Prefix, Lifetime: time.Hour - 2*time.Second}}, []route{gateway}, nil, changes{}},
		{"a renewed lease", plan{Addresses: []address{a}}, []address{{Prefix: a.Prefix, Lifetime: time.Minute}}, nil, nil, changes{AddAddresses: []address{a}}},
		{"from a lease to static", plan{Addresses: []address{b}}, []address{{Prefix: b.Prefix, Lifetime: time.Minute}}, nil, nil, changes{AddAddresses: []address{b}}},
		{"another address", plan{Addresses: []address{b}}, []address{a}, []route{gateway}, prefixes("192.0.2.7/24"),
			changes{AddAddresses: []address{b}, RemoveAddresses: prefixes("192.0.2.7/24"), RemoveRoutes: []route{gateway}}},
		{"somebody else's address stays", plan{}, []address{a}, nil, nil, changes{}},
		{"another gateway", plan{Routes: []route{other}}, nil, []route{gateway}, nil, changes{AddRoutes: []route{other}, RemoveRoutes: []route{gateway}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := diff(test.want, test.addresses, test.routes, 1500, test.owned); !reflect.DeepEqual(got, test.expect) {
				t.Errorf("got  %+v\nwant %+v", got, test.expect)
			}
		})
	}
}

// dhcpFor is DHCP having been asked for so long.
func dhcpFor(d time.Duration) [families]time.Duration {
	return [families]time.Duration{familyIPv4: d}
}

func TestConditions(t *testing.T) {
	have := []address{{Prefix: pfx("192.0.2.7/24")}}
	slaac := []address{{Prefix: pfx("2001:db8::7/64")}}
	good := DefaultRoute{Interface: "eth0", Via: addr("192.0.2.1")}
	six := types.Network{Interfaces: []types.Interface{{Name: "eth0"}}}
	named := types.Network{Interfaces: []types.Interface{{Name: "eth0"}, {Name: "eth9", Driver: "r8169"}}}
	made := types.Network{Interfaces: []types.Interface{bondOf("bond0", "eth0", "eth1"), vlanOf("v5", "eth9", 5)}}
	bond0 := madeLink(10, made.Interfaces[0])
	bond0.Carrier = true
	wlan0 := link{Index: 6, Name: "wlan0", Wireless: true, Up: true}
	wifi := types.Network{Interfaces: []types.Interface{{Name: "wlan0", WiFi: &types.WiFi{SSID: "plant"}}}}
	station := func(w WiFi, joining time.Duration) []view {
		return []view{{link: wlan0, settings: &wifi.Interfaces[0], wifi: &w, joining: joining}}
	}
	tests := []struct {
		name    string
		config  types.Network
		views   []view
		members []link
		others  []link
		missing map[string]string
		route   DefaultRoute
		early   bool
		expect  []string // ID: message
	}{
		{name: "DHCPv6 is silent", views: []view{{link: eth0, addresses: have, asking: [families]time.Duration{familyIPv6: 11 * time.Second}}}, route: good,
			expect: []string{"network.dhcp6.eth0: eth0: no DHCPv6 server answers; asking goes on"}},
		{name: "a bond with one cable, a VLAN without a parent", config: made, views: []view{{link: bond0, settings: &made.Interfaces[0], addresses: have}}, members: []link{eth0, eth1},
			missing: map[string]string{"v5": "its parent eth9 is not there"}, route: good,
			expect: []string{"network.made.v5: v5 is not as it should be: its parent eth9 is not there", "network.member.eth1: eth1, a member of bond0, has no carrier"}},
		{name: "Wi-Fi is joined", config: wifi, views: station(WiFi{Activity: "scanning"}, 3*time.Second)},
		{name: "Wi-Fi is out of reach", config: wifi, views: station(WiFi{Activity: "scanning"}, 11*time.Second),
			expect: []string{`network.wifi.wlan0: wlan0 is in no Wi-Fi network yet; it looks for "plant"`}},
		{name: "wrong password", config: wifi, views: station(WiFi{WrongKey: true, Problem: `the password for "plant" is wrong`}, time.Second),
			expect: []string{`network.wifi.wlan0: wlan0 is in no Wi-Fi network: the password for "plant" is wrong`}},
		{name: "all is well", views: []view{{link: eth0, addresses: have}, {link: eth1}}, route: good},
		{name: "no interface", expect: []string{"network.none: no network interface was found"}},
		{name: "no interface yet", early: true},
		{name: "no carrier", views: []view{{link: eth1}}, expect: []string{"network.carrier.eth1: eth1 has no carrier"}},
		{name: "DHCP is silent", views: []view{{link: eth0, asking: dhcpFor(11 * time.Second)}}, expect: []string{"network.dhcp.eth0: eth0 has no IPv4 address: no DHCP server answers; asking goes on"}},
		{name: "the cable is pulled, the address stays", views: []view{{link: eth1, addresses: have}}, expect: []string{"network.carrier.eth1: eth1 has no carrier"}},
		{name: "SLAAC, but no DHCP", views: []view{{link: eth0, addresses: slaac, asking: dhcpFor(11 * time.Second)}, {link: eth1}}, expect: []string{"network.dhcp.eth0: eth0 has no IPv4 address: no DHCP server answers; asking goes on"}},
		{name: "IPv6 only, on purpose", config: six, views: []view{{link: eth0, addresses: slaac, settings: &six.Interfaces[0]}}},
		{name: "DHCP is asked", views: []view{{link: eth0, asking: dhcpFor(3 * time.Second)}}},
		{name: "no default route", views: []view{{link: eth0, addresses: have}}, expect: []string{"network.route: there is no IPv4 default route: over IPv4 only the own network can be reached"}},
		{name: "an entry matches nothing", config: named, views: []view{{link: eth0, addresses: have, settings: &named.Interfaces[0]}}, route: good,
			expect: []string{"network.unmatched.1: machine.network.interfaces[1] (name eth9, driver r8169) matches no interface"}},
		{name: "a configured port without a cable", config: named, views: []view{{link: eth0, addresses: have, settings: &named.Interfaces[0]}, {link: eth1, settings: &named.Interfaces[1]}}, route: good,
			expect: []string{"network.carrier.eth1: eth1 has no carrier"}},
		{name: "the kernel refuses", views: []view{{link: eth0, addresses: have, problem: "eth0: set the MTU to 9000: invalid argument"}}, route: good,
			expect: []string{"network.failed.eth0: eth0: set the MTU to 9000: invalid argument"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, c := range (look{config: test.config, views: test.views, members: test.members, others: test.others, missing: test.missing, route: test.route, settled: !test.early}).conditions() {
				got = append(got, c.ID+": "+c.Message)
			}
			if !slices.Equal(got, test.expect) {
				t.Errorf("got  %q\nwant %q", got, test.expect)
			}
		})
	}
}

func TestSnapshot(t *testing.T) {
	config := types.Network{Nameservers: []netip.Addr{addr("9.9.9.9")}, Search: []string{"here"}}
	l := &lease{Nameservers: []netip.Addr{addr("192.0.2.53"), addr("9.9.9.9")}, Search: []string{"example.org"}, Hostname: "edge9", NTPServers: []netip.Addr{addr("192.0.2.123")}}
	six := &lease{Address: pfx("2001:db8::7/128"), Nameservers: []netip.Addr{addr("2001:db8::53")}, Hostname: "other"}
	v := view{link: eth0, addresses: []address{{Prefix: pfx("192.0.2.7/24")}}, leases: leases{l, six}}
	s := look{config: config, views: []view{v}, route: DefaultRoute{Interface: "eth0"}, settled: true}.state()
	want := State{
		Addresses:    []Address{{"eth0", pfx("192.0.2.7/24")}},
		DefaultRoute: DefaultRoute{Interface: "eth0"},
		Nameservers:  []netip.Addr{addr("9.9.9.9"), addr("192.0.2.53"), addr("2001:db8::53")},
		Hostname:     "edge9",
		Search:       []string{"here", "example.org"},
		NTPServers:   []string{"192.0.2.123"},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
	if config.Nameservers[0] != addr("9.9.9.9") || len(config.Nameservers) != 1 {
		t.Error("the config changed")
	}
}

func TestResolvConf(t *testing.T) {
	got := resolvConf([]netip.Addr{addr("192.0.2.1"), addr("2001:db8::1"), addr("192.0.2.3"), addr("192.0.2.4")}, []string{"a.example", "b.example"})
	want := "nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver 192.0.2.3\nsearch a.example b.example\n"
	if _, content, _ := strings.Cut(got, "\n"); content != want {
		t.Errorf("got %q", got)
	}
}

func TestValidDomain(t *testing.T) {
	for name, want := range map[string]bool{
		"example.org": true, "_tcp.example": true, "a": true, "": false, ".": false, "a..b": false, "-a": false, "a-": false, "a b": false, "a\nb": false,
		strings.Repeat("a", 64): false, strings.Repeat("a.", 130): false,
	} {
		if validDomain(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestMemory(t *testing.T) {
	dir := t.TempDir()
	m := memory{MAC: eth0.MAC, Lease: &lease{Address: pfx("192.0.2.7/24"), Routes: []leaseRoute{{To: pfx("10.0.0.0/8")}}, Acquired: 7}, Owned: prefixes("192.0.2.7/24"), Index: eth0.Index, MTU: 1500}
	if err := m.keep(dir, "eth0"); err != nil {
		t.Fatal(err)
	}
	if got, err := recall(dir, eth0); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("recalled %+v, %v", got, err)
	}
	anew := eth0
	anew.Index = 99
	if got, err := recall(dir, anew); err != nil || got.MTU != 0 || got.Lease == nil {
		t.Errorf("made anew: %+v, %v", got, err)
	}
	replaced := eth0
	replaced.MAC = "52:54:00:99:99:99"
	if got, err := recall(dir, replaced); err != nil || got.Lease != nil {
		t.Errorf("another card: %+v, %v", got, err)
	}
	if got, err := recall(dir, eth1); err != nil || got.Lease != nil {
		t.Errorf("never seen: %+v, %v", got, err)
	}
}
