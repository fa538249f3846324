package main

import (
	"github.com/coracle-os/coracle/machined/discovery"
)

// announceSelf lets coraclectl discover find the machine on its networks.
func (d *daemon) announceSelf() {
	discovery.Announce(d.ctx, func() discovery.Info {
		m, _ := d.store.Get()
		info := discovery.Info{Name: m.Name, Port: uint16(m.API.Port), Fingerprint: m.API.Fingerprint, Version: m.Version, State: discovery.Configured}
		if m.Config.Source == "" {
			info.State = discovery.Maintenance
		}
		// Those of the network, as they have link-local ones: a laptop on a cable of its own has nothing else.
		network, _ := d.network.State()
		for _, a := range network.Addresses {
			info.Addresses = append(info.Addresses, discovery.Address{Interface: a.Interface, Prefix: a.Prefix})
		}
		return info
	}, d.log)
}
