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
func conditions(config types.Network, views []view, others []link, route DefaultRoute, settled bool) []state.Condition {
	var found []state.Condition
	add := func(id string, severity state.Severity, hint, format string, args ...any) {
		found = append(found, state.Condition{ID: "network." + id, Severity: severity, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	if settled {
		for i, c := range config.Interfaces {
			if !slices.ContainsFunc(views, func(v view) bool { return v.settings == &config.Interfaces[i] }) {
				add(fmt.Sprintf("unmatched.%d", i), state.Warning, "the machine has "+list(views, others),
					"machine.network.interfaces[%d] (%s) matches no interface", i, selector(c))
			}
		}
		if len(views) == 0 && len(config.Interfaces) == 0 {
			add("none", state.Warning, "", "no network interface was found")
		}
	}
	connected := slices.ContainsFunc(views, view.ipv4)
	onlyIPv6 := !connected && slices.ContainsFunc(views, func(v view) bool { return v.link.Carrier && len(v.addresses) > 0 })
	for _, v := range views {
		name := v.link.Name
		switch {
		case v.problem != "":
			add("failed."+name, state.Warning, "", "%s", v.problem)
		case connected && len(config.Interfaces) == 0:
		case !v.link.Carrier && onlyIPv6 && len(config.Interfaces) == 0:
		case !v.link.Carrier && v.link.Up && settled:
			add("carrier."+name, state.Warning, "plug in the cable, or see what is at its other end", "%s has no carrier", name)
		case v.link.Carrier && !v.ipv4() && v.asking >= silence:
			add("dhcp."+name, state.Warning, "see to the DHCP server, or give a static address in the config", "%s has no IPv4 address: no DHCP server answers; asking goes on", name)
		}
	}
	if connected && route.Interface == "" && settled {
		add("route", state.Info, "", "there is no IPv4 default route: over IPv4 only the own network can be reached")
	}
	return found
}

// list names the interfaces that a machine has.
func list(views []view, others []link) string {
	var names []string
	for _, v := range views {
		names = append(names, v.link.String())
	}
	for _, l := range others {
		names = append(names, l.String())
	}
	if len(names) == 0 {
		return "no wired interface"
	}
	return strings.Join(names, ", ")
}
