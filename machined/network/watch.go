package network

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
)

// watch wakes the loop when the kernel says that an interface, an address or a route has changed. The kernel closes a
// socket whose reader is too slow; then all of it is looked at anew.
func (m *Manager) watch(ctx context.Context) {
	for ctx.Err() == nil {
		if err := m.watchOnce(ctx); err != nil {
			m.log.Warn("network: watch the kernel", "error", err)
		}
		sleep(ctx, time.Second)
		m.poke()
	}
}

func (m *Manager) watchOnce(ctx context.Context) error {
	done := make(chan struct{})
	defer close(done)
	links, addresses, routes := make(chan netlink.LinkUpdate, 16), make(chan netlink.AddrUpdate, 16), make(chan netlink.RouteUpdate, 16)
	if err := netlink.LinkSubscribe(links, done); err != nil {
		return err
	}
	defer drain(links)
	if err := netlink.AddrSubscribe(addresses, done); err != nil {
		return err
	}
	defer drain(addresses)
	if err := netlink.RouteSubscribe(routes, done); err != nil {
		return err
	}
	defer drain(routes)
	routers, err := watchAdvertised(done)
	if err != nil {
		return err
	}
	defer drain(routers)
	m.poke() // what happened before
	for {
		interesting, ok := false, false
		select {
		case <-ctx.Done():
			return nil
		case u, more := <-links:
			interesting, ok = more && !isPodNetwork(u.Attrs().Name), more
		case u, more := <-addresses:
			interesting, ok = m.manages(u.LinkIndex), more
		case u, more := <-routes:
			to, _ := prefix(u.Dst)
			interesting, ok = m.manages(u.LinkIndex) || u.Dst == nil || to.Bits() == 0, more
		case index, more := <-routers:
			interesting, ok = m.manages(index), more
		}
		if !ok {
			return nil
		}
		if interesting {
			m.poke()
		}
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

// drain lets the sender of what is left in a channel end: it must not hang.
func drain[T any](c <-chan T) {
	go func() {
		for range c {
		}
	}()
}
