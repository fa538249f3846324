package network

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"
)

// reconcile makes the machine as it should be. It returns when to look again at the latest, and whether there was
// something to change.
func (m *Manager) reconcile(ctx context.Context) (next time.Duration, changed bool) {
	m.mu.Lock()
	k := look{config: m.config}
	hostname, wanted := m.hostname, m.wanted
	m.mu.Unlock()

	now := bootTime()
	next = checkEvery
	if k.settled = now-m.started >= settle; !k.settled {
		next = settle - (now - m.started)
	}
	all, changed, err := m.arrange(&k)
	if err != nil {
		next = min(next, retryEvery)
	}
	if all == nil {
		return time.Second, false
	}
	routers, err := advertised()
	if err != nil {
		m.log.Warn("network", "error", err)
	}
	taken := map[slot]bool{}
	managed := map[string]bool{}
	for _, l := range all {
		settings := settingsFor(k.config, l)
		if settings == nil {
			k.leave(l)
			continue
		}
		managed[l.Name] = true
		p := m.port(l, *settings)
		m.join(ctx, p)
		p.connect(ctx, hostname, dhcp6ModeFor(settings, routers[l.Index]))
		v, err := p.apply(len(k.views), now, taken)
		if err != nil {
			next = min(next, retryEvery)
		}
		v.settings = settings
		changed = changed || v.changed
		k.views = append(k.views, v)
		next = min(next, v.nextWord())
	}
	m.release(managed)
	endOthers(m.wifiDir(), m.wpaSupplicant, m.ports)
	m.mu.Lock()
	m.indexes = map[int]bool{}
	for _, v := range k.views {
		m.indexes[v.link.Index] = true
	}
	m.mu.Unlock()
	index, via, err := defaultRoute()
	if err != nil {
		m.log.Warn("network", "error", err)
	}
	if i := slices.IndexFunc(all, func(l link) bool { return l.Index == index }); i >= 0 {
		k.route = DefaultRoute{all[i].Name, via}
	}
	m.publish(k.state(), wanted)
	return next, changed
}

// mostRounds is how often made interfaces are looked at in a row: a bridge with a VLAN of a bond in it takes three.
const mostRounds = 8

// arrange makes the interfaces that the config makes, and returns all that there are then; nil: that is not known.
func (m *Manager) arrange(k *look) (all []link, changed bool, err error) {
	for range mostRounds {
		if all, err = links(); err != nil {
			m.log.Error("network", "error", err)
			return nil, changed, err
		}
		var steps []linkStep
		steps, k.missing = arrange(k.config, all, k.settled)
		if len(steps) == 0 {
			m.failed = ""
			return all, changed, nil
		}
		var problems []error
		for _, s := range steps {
			if err := s.carryOut(); err != nil {
				k.missing[s.made()] = err.Error()
				problems = append(problems, err)
				continue
			}
			m.log.Info("network: "+string(s.Do)+" "+s.Name, "other", s.Other)
		}
		changed = true
		if err = errors.Join(problems...); err != nil {
			break
		}
	}
	if err != nil && err.Error() != m.failed {
		m.failed = err.Error()
		m.log.Warn("network", "error", err)
	}
	again, listed := links() // as some steps did succeed
	if listed != nil {
		return nil, changed, listed
	}
	return again, changed, err
}

// join has the interface of p join the Wi-Fi networks of its settings, or leave them.
func (m *Manager) join(ctx context.Context, p *port) {
	w := p.settings.WiFi
	files := stationFiles{m.wifiDir(), p.name}
	switch {
	case w == nil && p.station != nil:
		p.station.stop()
		p.station = nil
	case w == nil:
	case p.station == nil:
		p.station = newStation(ctx, files, m.wpaSupplicant, wpaConfig(*w, files.control()), m.log, m.poke)
	default:
		p.station.configure(wpaConfig(*w, files.control()))
	}
}

// wifiDir is where the files of wpa_supplicant are.
func (m *Manager) wifiDir() string { return filepath.Join(m.runDir, "wifi") }
