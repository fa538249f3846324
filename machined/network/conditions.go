package network

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/state"
)

// silence is how long a DHCP server may take before a person should know.
const silence = 10 * time.Second

// conditions says what is wrong with the network. A second port without a cable is nothing to report while another
// one works.
func (k look) conditions() []state.Condition {
	var found conditionList
	found.entries(k)
	connected := slices.ContainsFunc(k.views, view.ipv4)
	onlyIPv6 := !connected && slices.ContainsFunc(k.views, func(v view) bool { return v.link.Carrier && len(v.addresses) > 0 })
	for _, v := range k.views {
		name := v.link.Name
		if v.wifi != nil && v.problem == "" {
			found.wifi(v)
			if !v.wifi.Connected {
				continue
			}
		}
		switch {
		case v.problem != "":
			found.add("failed."+name, state.Warning, "", "%s", v.problem)
		case connected && len(k.config.Interfaces) == 0:
		case !v.link.Carrier && onlyIPv6 && len(k.config.Interfaces) == 0:
		case !v.link.Carrier && v.link.Up && k.settled:
			found.add("carrier."+name, state.Warning, carrierHint(v.settings), "%s has no carrier", name)
		case v.link.Carrier && !v.ipv4() && v.asking[familyIPv4] >= silence:
			found.add("dhcp."+name, state.Warning, "see to the DHCP server, or give a static address in the config", "%s has no IPv4 address: no DHCP server answers; asking goes on", name)
		}
		if v.link.Carrier && v.asking[familyIPv6] >= silence {
			found.add("dhcp6."+name, state.Warning, "see to the DHCPv6 server, or to the router that says there is one; ipv6: off leaves IPv6 alone",
				"%s: no DHCPv6 server answers; asking goes on", name)
		}
	}
	for _, l := range k.members {
		if c := masterOf(k.config, l.Name); c.Bond != nil && !l.Carrier && k.settled {
			found.add("member."+l.Name, state.Warning, "plug in the cable, or see what is at its other end", "%s, a member of %s, has no carrier", l.Name, c.Name)
		}
	}
	if connected && k.route.Interface == "" && k.settled {
		found.add("route", state.Info, "", "there is no IPv4 default route: over IPv4 only the own network can be reached")
	}
	return found
}

// conditionList is what is wrong.
type conditionList []state.Condition

func (c *conditionList) add(id string, severity state.Severity, hint, format string, args ...any) {
	*c = append(*c, state.Condition{ID: "network." + id, Severity: severity, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// entries says which entries of the config have no interface, or not all that they need.
func (c *conditionList) entries(k look) {
	if !k.settled {
		return
	}
	for i, e := range k.config.Interfaces {
		matched := slices.ContainsFunc(k.views, func(v view) bool { return v.settings == &k.config.Interfaces[i] })
		lacks := k.missing[e.Name]
		switch {
		case e.Made() && lacks != "":
			c.add("made."+e.Name, state.Warning, "the machine has "+k.list(), "%s is not as it should be: %s", e.Name, lacks)
		case matched || slices.ContainsFunc(k.members, func(l link) bool { return selects(&e, l) }):
		case e.Made(): // its master's, or made at the next look
		default:
			c.add(fmt.Sprintf("unmatched.%d", i), state.Warning, "the machine has "+k.list(), "machine.network.interfaces[%d] (%s) matches no interface", i, selector(e))
		}
	}
	if len(k.views) == 0 && len(k.config.Interfaces) == 0 {
		c.add("none", state.Warning, "", "no network interface was found")
	}
}

// wifi says why an interface is in no Wi-Fi network.
func (c *conditionList) wifi(v view) {
	name, w := v.link.Name, v.wifi
	switch {
	case w.WrongKey:
		c.add("wifi."+name, state.Warning, "correct it in the wifi section of the interface in the config", "%s is in no Wi-Fi network: %s", name, w.Problem)
	case w.Problem != "":
		c.add("wifi."+name, state.Warning, "see to the access point, its distance, and the wifi section of the interface in the config", "%s is in no Wi-Fi network: %s", name, w.Problem)
	case v.joining >= silence:
		c.add("wifi."+name, state.Warning, "see to the access point, its distance, and the wifi section of the interface in the config", "%s is in no Wi-Fi network yet; it looks for %s", name, networkNames(*v.settings.WiFi))
	}
}

// carrierHint is what to do about a missing carrier.
func carrierHint(c *types.Interface) string {
	switch {
	case c != nil && c.VLAN != nil:
		return "see to " + c.VLAN.Parent + ", which carries the VLAN"
	case c != nil && c.Made():
		return "see to its members: " + strings.Join(c.Members(), ", ")
	}
	return "plug in the cable, or see what is at its other end"
}

// list names the interfaces that a machine has.
func (k look) list() string {
	var names []string
	for _, v := range k.views {
		names = append(names, v.link.String())
	}
	for _, l := range slices.Concat(k.members, k.others) {
		names = append(names, l.String())
	}
	if len(names) == 0 {
		return "no interface"
	}
	return strings.Join(names, ", ")
}
