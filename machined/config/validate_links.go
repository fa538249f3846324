package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/config/types"
)

// links is what the entries of a config say about interfaces that Coracle makes.
type links struct {
	*checker
	made    map[string]int    // name → its entry
	literal map[string]int    // name without a pattern → its entry
	master  map[string]string // member → path of the list that it is in
	vlans   map[types.VLAN]string
}

func entryPath(i int) string { return fmt.Sprintf("machine.network.interfaces[%d]", i) }

// checkMade checks VLANs, bonds and bridges, and what becomes part of them.
func checkMade(k *checker) {
	l := &links{k, map[string]int{}, map[string]int{}, map[string]string{}, map[types.VLAN]string{}}
	entries := k.Machine.Network.Interfaces
	for i, n := range entries {
		if !isLiteral(n.Name) {
			continue
		}
		if _, seen := l.literal[n.Name]; !seen || n.Made() {
			l.literal[n.Name] = i
		}
		if n.Made() {
			l.made[n.Name] = i
		}
	}
	for i, n := range entries {
		at := entryPath(i)
		l.checkKind(at, n)
		if n.VLAN != nil {
			l.checkVLAN(at+".vlan", *n.VLAN)
		}
		if n.Bond != nil {
			l.checkBond(at+".bond", n.Name, *n.Bond)
		}
		if n.Bridge != nil {
			l.checkMembers(at+".bridge.members", n.Name, n.Bridge.Members, "bridge", isBridge)
		}
	}
	for i, n := range entries {
		if n.VLAN != nil {
			if list, member := l.master[n.VLAN.Parent]; member {
				l.fail(entryPath(i)+".vlan.parent", "%s is in %s; take the interface that it is a member of", n.VLAN.Parent, list)
			}
		}
		if list, member := l.master[n.Name]; member && isLiteral(n.Name) {
			l.checkMember(entryPath(i), n, list)
		}
	}
	l.checkCycles()
}

// isLiteral is whether name is that of one interface, and no pattern.
func isLiteral(name string) bool { return name != "" && !strings.ContainsAny(name, `*?[\`) }

// podNetwork are names of interfaces, or what they start with, that the kernel, Coracle and the pod network make.
var podNetwork = []string{"cni", "flannel", "veth", "kube-", "tunl"}

// checkKind checks that an entry is of one kind, and named when it is made.
func (l *links) checkKind(at string, n types.Interface) {
	var kinds []string
	for _, kind := range []struct {
		name string
		set  bool
	}{{"vlan", n.VLAN != nil}, {"bond", n.Bond != nil}, {"bridge", n.Bridge != nil}, {"wifi", n.WiFi != nil}} {
		if kind.set {
			kinds = append(kinds, kind.name)
		}
	}
	if len(kinds) > 1 {
		l.fail(at, "has %s; an interface is one of them", strings.Join(kinds, " and "))
	}
	if !n.Made() {
		return
	}
	switch {
	case !isLiteral(n.Name):
		l.fail(at+".name", "a %s needs a name of its own, without * and ?", kinds[0])
	case slices.Contains([]string{"lo", "all", "default", "coracle0"}, n.Name), slices.ContainsFunc(podNetwork, func(p string) bool { return strings.HasPrefix(n.Name, p) }):
		l.fail(at+".name", "%s is a name that the system or the pod network uses; take another, such as %s0", n.Name, kinds[0])
	}
	for _, field := range []struct{ name, value string }{{"mac", n.MAC}, {"driver", n.Driver}} {
		if field.value != "" {
			l.fail(at+"."+field.name, "finds an interface that is there, but a %s is made; leave it out", kinds[0])
		}
	}
}

func (l *links) checkVLAN(at string, v types.VLAN) {
	if v.ID < 1 || v.ID > 4094 {
		if v.ID != 0 || l.doc.Has(at+".id") {
			l.fail(at+".id", "%d is not between 1 and 4094", v.ID)
		} else {
			l.fail(at+".id", "is missing; write the number of the VLAN, 1 to 4094")
		}
	}
	if v.Parent == "" {
		l.fail(at+".parent", "is missing; write the interface that carries the VLAN, such as eth0")
		return
	}
	l.want(isLiteral(v.Parent) && fitsKernel(v.Parent), at+".parent", v.Parent, "the name of an interface")
	if i, there := l.literal[v.Parent]; there && l.Machine.Network.Interfaces[i].WiFi != nil {
		l.fail(at+".parent", "%s is a Wi-Fi interface, which carries no VLANs", v.Parent)
	}
	if first, seen := l.vlans[v]; seen {
		l.fail(at, "VLAN %d of %s is at %s already", v.ID, v.Parent, first)
	} else {
		l.vlans[v] = at
	}
}

func (l *links) checkBond(at, name string, b types.Bond) {
	if len(b.Members) == 0 {
		l.fail(at+".members", "is missing; write the interfaces that work as one: [eth0, eth1]")
	}
	l.checkMembers(at+".members", name, b.Members, "bond", isBondOrBridge)
	if b.MIIMon < 10 || b.MIIMon > 10000 {
		l.fail(at+".miimon", "%d is not between 10 and 10000 milliseconds", b.MIIMon)
	}
	for _, option := range []struct {
		name  string
		modes []string
	}{
		{"primary", []string{"active-backup", "balance-tlb", "balance-alb"}},
		{"lacpRate", []string{"802.3ad"}},
		{"hashPolicy", []string{"802.3ad", "balance-xor", "balance-tlb"}},
	} {
		if l.doc.Has(at+"."+option.name) && b.Mode != "" && !slices.Contains(option.modes, b.Mode) {
			l.fail(at+"."+option.name, "has no effect in mode %s, only in %s", b.Mode, strings.Join(option.modes, ", "))
		}
	}
	if b.Primary != "" && !slices.Contains(b.Members, b.Primary) {
		l.fail(at+".primary", "%s is not among the members: %s", b.Primary, strings.Join(b.Members, ", "))
	}
}

// checkMembers checks a list of members of name. refused is which made interfaces cannot be among them.
func (l *links) checkMembers(at, name string, members []string, kind string, refused func(*types.Interface) bool) {
	for j, m := range members {
		p := fmt.Sprintf("%s[%d]", at, j)
		first, seen := l.master[m]
		switch {
		case !isLiteral(m) || !fitsKernel(m):
			l.fail(p, "%q is not the name of an interface; members are named one by one", m)
			continue
		case m == name:
			l.fail(p, "%s cannot be a member of itself", m)
			continue
		case seen:
			l.fail(p, "%s is in %s already", m, first)
			continue
		}
		l.master[m] = at
		if i, there := l.literal[m]; there {
			switch c := &l.Machine.Network.Interfaces[i]; {
			case c.WiFi != nil:
				l.fail(p, "%s is a Wi-Fi interface, which cannot be in a %s", m, kind)
			case refused(c):
				l.fail(p, "the kernel takes no %s into a %s", kindOf(c), kind)
			}
		}
	}
}

func isBridge(c *types.Interface) bool       { return c.Bridge != nil }
func isBondOrBridge(c *types.Interface) bool { return c.Bridge != nil || c.Bond != nil }

func kindOf(c *types.Interface) string {
	if c.Bridge != nil {
		return "bridge"
	}
	return "bond"
}

// checkMember checks the entry of an interface that is in list.
func (l *links) checkMember(at string, n types.Interface, list string) {
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"dhcp", n.DHCP != nil && *n.DHCP}, {"addresses", len(n.Addresses) > 0}, {"routes", len(n.Routes) > 0}, {"metric", n.Metric != 0},
		{"ipv6", n.IPv6 != types.IPv6Off && l.doc.Has(at+".ipv6")},
	} {
		if field.set {
			l.fail(at+"."+field.name, "%s is in %s, so it has no addresses and routes of its own; give them to that interface", n.Name, list)
		}
	}
	if n.MTU != 0 && strings.HasSuffix(list, ".bond.members") {
		l.fail(at+".mtu", "%s is in %s; its MTU is the bond's", n.Name, list)
	}
}

// checkCycles finds interfaces that are made of themselves, over others.
func (l *links) checkCycles() {
	const onTheWay, done = 1, 2
	state := map[string]int{}
	var visit func(name string) (cycle bool)
	visit = func(name string) bool {
		i, made := l.made[name]
		switch {
		case !made || state[name] == done:
			return false
		case state[name] == onTheWay:
			return true
		}
		state[name] = onTheWay
		n := l.Machine.Network.Interfaces[i]
		parts := n.Members()
		if n.VLAN != nil {
			parts = []string{n.VLAN.Parent}
		}
		for _, part := range parts {
			if part == name && n.VLAN == nil {
				continue // has been said
			}
			if visit(part) {
				l.fail(entryPath(i), "%s is made of %s, which is made of %s", name, part, name)
				break
			}
		}
		state[name] = done
		return false
	}
	for _, n := range l.Machine.Network.Interfaces {
		visit(n.Name)
	}
}
