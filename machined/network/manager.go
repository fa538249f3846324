// Package network connects the machine: it brings up the wired interfaces, with DHCP and IPv6 autoconfiguration or as the
// config says, writes resolv.conf, and says in words what is wrong.
//
// One loop compares what should be with what the kernel has, at every change of either, and makes up the
// difference. What it decides is in functions without a kernel (planFor, diff, snapshot). It touches only the
// interfaces that are its own: the pod network makes others.
package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coracle-os/coracle/machined/atomicfile"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/vishvananda/netlink"
)

// Manager connects the machine. Make one with [New].
type Manager struct {
	log        *slog.Logger
	runDir     string
	resolvConf string

	wake chan struct{} // something changed

	mu       sync.Mutex // for what follows
	config   types.Network
	hostname string
	ports    map[string]*port // managed interfaces, by name
	state    State
	changed  chan struct{}

	indexes map[int]bool // of managed interfaces

	started time.Duration // of Run, since boot; the rest is its loop's own
	written string        // the content of resolv.conf
}

// port is a managed interface.
type port struct {
	link     link
	settings types.Interface
	memory   memory
	asking   time.Duration // since boot: since when DHCP has been asked for; 0: it is not, or it has answered
	problem  string        // of DHCP
	failed   string        // of the last changes
	stop     context.CancelFunc
	done     chan struct{} // closed when the DHCP client has ended
}

// settle is how long drivers may take to find their hardware, a cable to be noticed, and addresses to come.
const settle = 8 * time.Second

// New returns a manager of a machine without a config.
func New(log *slog.Logger) *Manager {
	return &Manager{
		log: log, runDir: runDir, resolvConf: resolvConfPath,
		wake: make(chan struct{}, 1), ports: map[string]*port{}, changed: make(chan struct{}),
	}
}

// Configure says how the machine is to be connected, and its name, which DHCP servers are told. It may be called at any
// time; before [Manager.Run], so that no interface is configured otherwise first.
func (m *Manager) Configure(config types.Network, hostname string) {
	m.mu.Lock()
	m.config, m.hostname = config, hostname
	m.mu.Unlock()
	m.poke()
}

// State returns how the machine is connected, and a channel that is closed when that has changed.
func (m *Manager) State() (State, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state, m.changed
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
	for {
		next := m.reconcile(ctx)
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

func bringUp(name string) error {
	if err := netlink.LinkSetUp(&netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: name}}); err != nil {
		return fmt.Errorf("bring up %s: %w", name, err)
	}
	return nil
}

// checkEvery is how often the kernel is looked at without a reason: its messages can get lost.
const checkEvery = time.Minute

// retryEvery is when to try again what failed, if nothing changes before.
const retryEvery = 5 * time.Second

// reconcile makes the machine as it should be, and returns when to look again at the latest.
func (m *Manager) reconcile(ctx context.Context) time.Duration {
	all, err := links()
	if err != nil {
		m.log.Error("network", "error", err)
		return time.Second
	}
	m.mu.Lock()
	config, hostname := m.config, m.hostname
	m.mu.Unlock()

	now, next := bootTime(), checkEvery
	var views []view
	var others []link
	managed := map[string]bool{}
	for _, l := range all {
		settings := settingsFor(config, l)
		if settings == nil {
			if l.Wired {
				others = append(others, l)
			}
			continue
		}
		managed[l.Name] = true
		p := m.adopt(l, *settings)
		m.connect(ctx, p, hostname)
		v, err := m.apply(p, len(views), now)
		if m.failed(p, err) {
			next = min(next, retryEvery)
		}
		v.settings = settings
		views = append(views, v)
		if v.asking > 0 && v.asking < silence {
			next = min(next, silence-v.asking)
		}
	}
	m.release(managed)
	m.mu.Lock()
	m.indexes = map[int]bool{}
	for _, v := range views {
		m.indexes[v.link.Index] = true
	}
	m.mu.Unlock()
	settled := now-m.started >= settle
	if !settled {
		next = min(next, settle-(now-m.started))
	}
	index, via, err := defaultRoute()
	if err != nil {
		m.log.Warn("network", "error", err)
	}
	var route DefaultRoute
	if i := slices.IndexFunc(all, func(l link) bool { return l.Index == index }); i >= 0 {
		route = DefaultRoute{all[i].Name, via}
	}
	m.publish(snapshot(config, views, others, route, settled))
	return next
}

// adopt returns the port of l, with what an earlier machined knew of it. When its hardware or settings have changed its
// DHCP client is stopped, to be started again.
func (m *Manager) adopt(l link, settings types.Interface) *port {
	p := m.ports[l.Name]
	if p == nil || p.link.MAC != l.MAC || p.link.Index != l.Index {
		p.disconnect()
		known, err := recall(m.runDir, l)
		if err != nil {
			m.log.Warn("network: what was known of the interface is lost", "interface", l.Name, "error", err)
		}
		p = &port{settings: settings, memory: known}
		m.mu.Lock()
		m.ports[l.Name] = p
		m.mu.Unlock()
	}
	if p.settings.UseDHCP() != settings.UseDHCP() {
		p.disconnect()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p.link, p.settings = l, settings
	return p
}

// failed takes what came of an interface's changes, says it once, and returns whether it was an error.
func (m *Manager) failed(p *port, err error) bool {
	said := ""
	if err != nil {
		said = err.Error()
		if said != p.failed {
			m.log.Warn("network", "error", err)
		}
	}
	p.failed = said
	return err != nil
}

// connect starts the DHCP client of an interface that has a carrier, and stops that of one that has not: with the
// cable back, the lease has to be verified.
func (m *Manager) connect(ctx context.Context, p *port, hostname string) {
	switch want := p.settings.UseDHCP() && p.link.Carrier; {
	case !want:
		p.disconnect()
	case p.stop == nil:
		mac, err := net.ParseMAC(p.link.MAC)
		if err != nil {
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		p.stop, p.done = cancel, make(chan struct{})
		m.mu.Lock()
		known := p.memory.Lease
		if known == nil || known.expired(bootTime()) {
			p.asking = bootTime()
		}
		m.mu.Unlock()
		client := &dhcpClient{
			name: p.link.Name, mac: mac, hostname: hostname, log: m.log,
			leased: func(l *lease) { m.leased(p, l) },
			asking: func(err error) { m.asking(p, err) },
		}
		go func(done chan struct{}) {
			defer close(done)
			client.run(ctx, known)
		}(p.done)
	}
}

// disconnect ends the DHCP client, and returns when it has ended.
func (p *port) disconnect() {
	if p == nil || p.stop == nil {
		return
	}
	p.stop()
	<-p.done
	p.stop, p.asking, p.problem = nil, 0, ""
}

// leased takes a lease, or that it is gone.
func (m *Manager) leased(p *port, l *lease) {
	m.mu.Lock()
	p.problem, p.asking = "", 0
	if l == nil {
		p.asking = bootTime()
	}
	first := p.memory.Lease == nil && l != nil
	p.memory.Lease = l
	err := p.memory.keep(m.runDir, p.link.Name)
	m.mu.Unlock()
	if err != nil {
		m.log.Warn("network", "error", err)
	}
	if first {
		m.log.Info("network: got a lease", "interface", p.link.Name, "address", l.Address, "server", l.Server, "lifetime", l.Lifetime)
	}
	m.poke()
}

// asking takes why there is no lease yet.
func (m *Manager) asking(p *port, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.problem = ""
	if !errors.Is(err, nclient4.ErrNoResponse) {
		p.problem = p.link.Name + ": " + err.Error()
	}
	m.poke()
}

// apply makes the interface as it should be.
func (m *Manager) apply(p *port, order int, now time.Duration) (view, error) {
	m.mu.Lock()
	l, leased, owned := p.link, p.memory.Lease, slices.Clone(p.memory.Owned)
	v := view{link: l, lease: leased, problem: p.problem}
	if p.asking > 0 {
		v.asking = now - p.asking
	}
	m.mu.Unlock()
	if leased != nil && (leased.expired(now) || !p.settings.UseDHCP()) {
		leased, v.lease = nil, nil
	}
	want := planFor(&p.settings, leased, order, now)
	for _, s := range sysctls(l.Name, want.IPv6) {
		if err := s.apply(); err != nil {
			return v, err
		}
	}
	if !l.Up {
		if err := bringUp(l.Name); err != nil {
			v.problem = err.Error()
			return v, err
		}
	}
	have, err := addresses(l.Index)
	if err != nil {
		return v, fmt.Errorf("%s: list addresses: %w", l.Name, err)
	}
	v.addresses = final(have)
	routes, err := ownRoutes(l.Index)
	if err != nil {
		return v, fmt.Errorf("%s: list routes: %w", l.Name, err)
	}
	c := diff(want, have, routes, l.MTU, owned)
	if c.none() {
		return v, nil
	}
	// Remembered before it is done: an address that is not known as ours would stay for ever.
	for _, a := range want.Addresses {
		owned = union(owned, []netip.Prefix{a.Prefix})
	}
	if err := m.own(p, owned); err != nil {
		return v, err
	}
	if err := carryOut(l, c); err != nil {
		v.problem = err.Error()
		return v, err
	}
	owned = slices.DeleteFunc(owned, func(o netip.Prefix) bool { return slices.Contains(c.RemoveAddresses, o) })
	if err := m.own(p, owned); err != nil {
		return v, err
	}
	have, err = addresses(l.Index)
	v.addresses = final(have)
	return v, err
}

// final are the addresses that can be used.
func final(all []address) []address {
	return slices.DeleteFunc(slices.Clone(all), func(a address) bool { return a.Tentative })
}

// own remembers which addresses of an interface are ours.
func (m *Manager) own(p *port, owned []netip.Prefix) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Equal(p.memory.Owned, owned) {
		return nil
	}
	p.memory.Owned = owned
	return p.memory.keep(m.runDir, p.link.Name)
}

// release forgets interfaces that are gone or no longer ours. Those that are there lose our addresses and routes.
func (m *Manager) release(managed map[string]bool) {
	for name, p := range m.ports {
		if managed[name] {
			continue
		}
		p.disconnect()
		m.mu.Lock()
		delete(m.ports, name)
		m.mu.Unlock()
		os.Remove(memoryPath(m.runDir, name))
		routes, err := ownRoutes(p.link.Index)
		if err != nil {
			continue
		}
		have, err := addresses(p.link.Index)
		if err != nil {
			continue
		}
		if err := carryOut(p.link, diff(plan{}, have, routes, p.link.MTU, p.memory.Owned)); err != nil {
			m.log.Info("network: release", "error", err)
		}
	}
}

func (m *Manager) stopAll() {
	for _, p := range m.ports {
		p.disconnect()
	}
}

// publish makes s the state, and writes resolv.conf first.
func (m *Manager) publish(s State) {
	if content := resolvConf(s.Nameservers, s.Search); content != m.written {
		if err := atomicfile.Write(m.resolvConf, []byte(content), 0o644); err != nil {
			m.log.Error("network", "error", err)
		} else {
			m.written = content
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !reflect.DeepEqual(s, m.state) {
		m.state = s
		close(m.changed)
		m.changed = make(chan struct{})
	}
}

// manages is whether the interface with that index is ours.
func (m *Manager) manages(index int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.indexes[index]
}

// isPodNetwork is whether an interface of that name comes and goes with pods: its changes are of no interest.
func isPodNetwork(name string) bool {
	return slices.ContainsFunc([]string{"veth", "cni", "flannel"}, func(p string) bool { return strings.HasPrefix(name, p) })
}
