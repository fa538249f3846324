package network

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/config/types"
)

// link is a network interface as the kernel has it.
type link struct {
	Index    int
	Name     string
	MAC      string // lower case, as in 52:54:00:12:34:56
	Driver   string // such as virtio_net; empty for virtual interfaces
	Wired    bool   // physical Ethernet
	Wireless bool   // Wi-Fi
	Carrier  bool
	Up       bool
	Loopback bool
	MTU      int

	Mark    int    // whether Coracle made it, or made it a member: madeMark, memberMark
	Master  int    // index of the bridge or bond that it is a member of, which has the addresses then; 0: none
	Shape   shape  // of an interface that could be made by Coracle
	STP     bool   // of a bridge
	Primary string // of a bond: name of the member that is preferred
}

var (
	// automatic is how a wired interface is configured without a config.
	automatic = types.Interface{IPv6: types.IPv6Auto}
	// carrier is how an interface is configured that only carries VLANs.
	carrier = types.Interface{DHCP: new(false), IPv6: types.IPv6Off}
)

// settingsFor returns how l is to be configured; nil: it is left alone, or a member of another.
//
// Only physical interfaces are matched, as the pod network makes others that come and go, with drivers and MAC addresses that
// may look alike; the exception is an interface whose whole name is written in the config.
func settingsFor(config types.Network, l link) *types.Interface {
	if l.Loopback || l.Master != 0 || masterOf(config, l.Name) != nil {
		return nil
	}
	if len(config.Interfaces) == 0 {
		if l.Wired {
			return &automatic
		}
		return nil
	}
	for i := range config.Interfaces {
		if c := &config.Interfaces[i]; matches(c, l) {
			return c
		}
	}
	if slices.ContainsFunc(config.Interfaces, func(c types.Interface) bool { return c.VLAN != nil && c.VLAN.Parent == l.Name }) {
		return &carrier
	}
	return nil
}

// masterOf is the bond or bridge that the interface of that name is to be a member of; nil: none.
func masterOf(config types.Network, name string) *types.Interface {
	for i := range config.Interfaces {
		if c := &config.Interfaces[i]; slices.Contains(c.Members(), name) {
			return c
		}
	}
	return nil
}

func matches(c *types.Interface, l link) bool {
	switch {
	case c.Made():
		return c.Name == l.Name && l.Mark == madeMark
	case c.WiFi != nil && !l.Wireless:
		return false
	case !l.Wired && !(l.Wireless && c.WiFi != nil) && c.Name != l.Name:
		return false
	}
	return selects(c, l)
}

// selects is whether name, MAC and driver of c fit l.
func selects(c *types.Interface, l link) bool {
	if c.Name == "" && c.MAC == "" && c.Driver == "" {
		return false
	}
	if c.Name != "" {
		if ok, err := path.Match(c.Name, l.Name); err != nil || !ok {
			return false
		}
	}
	return (c.MAC == "" || strings.EqualFold(c.MAC, l.MAC)) && (c.Driver == "" || c.Driver == l.Driver)
}

// selector says what c matches, for a person.
func selector(c types.Interface) string {
	var parts []string
	for _, p := range []struct{ what, value string }{{"name", c.Name}, {"MAC", c.MAC}, {"driver", c.Driver}} {
		if p.value != "" {
			parts = append(parts, p.what+" "+p.value)
		}
	}
	return strings.Join(parts, ", ")
}

func (l link) String() string {
	return fmt.Sprintf("%s (%s, %s)", l.Name, l.MAC, cmp.Or(l.Driver, l.Shape.Kind, "virtual"))
}
