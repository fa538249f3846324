package network

import (
	"fmt"
	"path"
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
	Carrier  bool
	Up       bool
	Enslaved bool // a port of a bridge or bond, which has the addresses then
	Loopback bool
	MTU      int
}

// automatic is how a wired interface is configured without a config.
var automatic = types.Interface{IPv6: types.IPv6Auto}

// settingsFor returns how l is to be configured; nil: it is left alone.
//
// Only physical interfaces are matched, as the pod network makes others that come and go, with drivers and MAC addresses that
// may look alike; the exception is an interface whose whole name is written in the config.
func settingsFor(config types.Network, l link) *types.Interface {
	if l.Loopback || l.Enslaved {
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
	return nil
}

func matches(c *types.Interface, l link) bool {
	if !l.Wired && c.Name != l.Name {
		return false
	}
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
	return fmt.Sprintf("%s (%s, %s)", l.Name, l.MAC, l.Driver)
}
