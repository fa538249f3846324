// Package network connects the machine: it brings up the wired interfaces, with DHCP and IPv6 autoconfiguration or as the
// config says, makes VLANs, bonds and bridges, joins Wi-Fi networks, writes resolv.conf, and says in words what is wrong.
//
// One loop compares what should be with what the kernel has, at every change of either, and makes up the
// difference. What it decides is in functions without a kernel (arrange, planFor, diff, look.state). It touches only the
// interfaces that are its own: the pod network makes others.
package network

import (
	"context"
	"log/slog"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/coracle-os/coracle/machined/atomicfile"
	"github.com/coracle-os/coracle/machined/config/types"
)

// Manager connects the machine. Make one with [New].
type Manager struct {
	log           *slog.Logger
	runDir        string
	resolvConf    string
	wpaSupplicant string

	wake chan struct{} // something changed

	// What follows is the loop's own.
	ports   map[string]*port // managed interfaces, by name
	started time.Duration    // of Run, since boot
	written string           // the content of resolv.conf
	failed  string           // what the last steps of arrange that failed said

	mu       sync.Mutex // for what follows
	config   types.Network
	wanted   int // how often Configure was called
	arranged int // how often it had been when state was found
	hostname string
	indexes  map[int]bool // of managed interfaces
	state    State
	changed  chan struct{} // closed when state is another
}

const (
	// settle is how long drivers may take to find their hardware, a cable to be noticed, and addresses to come.
	settle = 8 * time.Second
	// checkEvery is how often the kernel is looked at without a reason: its messages can get lost.
	checkEvery = time.Minute
	// retryEvery is when to try again what failed, if nothing changes before.
	retryEvery = 5 * time.Second
	// fightPause is between looks that each have something to change: somebody undoes it.
	fightPause = time.Second
)

// New returns a manager of a machine without a config.
func New(log *slog.Logger) *Manager {
	return &Manager{
		log: log, runDir: runDir, resolvConf: resolvConfPath, wpaSupplicant: wpaSupplicant,
		wake: make(chan struct{}, 1), ports: map[string]*port{}, changed: make(chan struct{}),
	}
}

// Configure says how the machine is to be connected, and its name, which DHCP servers are told. It may be called at any
// time; before [Manager.Run], so that no interface is configured otherwise first.
func (m *Manager) Configure(config types.Network, hostname string) {
	m.mu.Lock()
	m.config, m.hostname = config, hostname
	m.wanted++
	m.mu.Unlock()
	m.poke()
}

// State returns how the machine is connected, and a channel that is closed when that has changed.
func (m *Manager) State() (State, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.state
	s.Pending = m.arranged != m.wanted
	return s, m.changed
}

// Run keeps the machine connected until ctx ends. It leaves everything as it is then: the next machined takes it over.
func (m *Manager) Run(ctx context.Context) {
	m.started = bootTime()
	if err := os.MkdirAll(m.runDir, 0o700); err != nil {
		m.log.Error("network", "error", err)
	}
	if err := bringUp("lo"); err != nil {
		m.log.Error("network", "error", err)
	}
	go m.watch(ctx)
	defer m.stopAll()
	var p pace
	for {
		next, changed := m.reconcile(ctx)
		if !sleep(ctx, p.pause(changed)) {
			return
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-m.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

func (m *Manager) poke() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// pace keeps the loop from turning without rest.
type pace struct{ changed bool }

// pause is how long to rest after a look that changed something or not.
func (p *pace) pause(changed bool) time.Duration {
	again := changed && p.changed
	p.changed = changed
	if again {
		return fightPause
	}
	return 0
}

// port returns the port of l with its settings as they are now. Hardware that is new under an old name has a new port.
func (m *Manager) port(l link, settings types.Interface) *port {
	p := m.ports[l.Name]
	if p == nil || p.link.MAC != l.MAC || p.link.Index != l.Index {
		if p != nil {
			p.abandon()
		}
		p = newPort(l, m.runDir, m.log, m.poke)
		m.ports[l.Name] = p
	}
	p.link, p.settings = l, settings
	return p
}

// release forgets interfaces that are gone or no longer ours.
func (m *Manager) release(managed map[string]bool) {
	for name, p := range m.ports {
		if !managed[name] {
			delete(m.ports, name)
			p.release()
		}
	}
}

func (m *Manager) stopAll() {
	for _, p := range m.ports {
		p.disconnectAll()
		if p.station != nil {
			p.station.leave()
		}
	}
}

// publish makes s the state, by the config of the call of Configure with that number, and writes resolv.conf first.
func (m *Manager) publish(s State, arranged int) {
	if content := resolvConf(s.Nameservers, s.Search); content != m.written {
		if err := atomicfile.Write(m.resolvConf, []byte(content), 0o644); err != nil {
			m.log.Error("network", "error", err)
		} else {
			m.written = content
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !reflect.DeepEqual(s, m.state) || arranged != m.arranged {
		m.state, m.arranged = s, arranged
		close(m.changed)
		m.changed = make(chan struct{})
	}
}
