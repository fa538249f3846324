package api

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// limiter is a listener that keeps the number of connections within limits. Where one would be too many, the oldest of
// those that have shown no key that the machine knows is closed for it. So whoever opens many and says nothing only
// takes them from himself, or from others like him: a caller with a key gets in, and stays.
type limiter struct {
	net.Listener
	most, mostPerAddress int

	mu   sync.Mutex
	open []*limited // the oldest first
}

// limited is a connection that counts until it is closed.
type limited struct {
	net.Conn
	from    netip.Prefix
	keyed   bool // guarded by limiter.mu
	limiter *limiter
}

func (l *limiter) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		n := &limited{Conn: c, from: sourceOf(c), limiter: l}
		displaced, ok := l.take(n)
		if displaced != nil {
			displaced.Close()
		}
		if ok {
			return n, nil
		}
		c.Close()
	}
}

// take lets a connection in, if need be instead of another. False: all are of callers with keys.
func (l *limiter) take(n *limited) (displaced *limited, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all, keyless := map[netip.Prefix]int{}, map[netip.Prefix]int{}
	for _, c := range l.open {
		all[c.from]++
		if !c.keyed {
			keyless[c.from]++
		}
	}
	from := n.from
	switch {
	case all[from] >= l.mostPerAddress:
	case len(l.open) < l.most:
		l.open = append(l.open, n)
		return nil, true
	default: // who has most of those without a key gives one
		for _, c := range l.open {
			if keyless[c.from] > keyless[from] {
				from = c.from
			}
		}
	}
	i := slices.IndexFunc(l.open, func(c *limited) bool { return c.from == from && !c.keyed })
	if i < 0 {
		return nil, false
	}
	displaced = l.open[i]
	l.open = append(slices.Delete(l.open, i, i+1), n)
	return displaced, true
}

// setKeyed notes whether the caller has shown a key that the machine knows. It returns whether that is new.
func (c *limited) setKeyed(keyed bool) (changed bool) {
	c.limiter.mu.Lock()
	defer c.limiter.mu.Unlock()
	changed = c.keyed != keyed
	c.keyed = keyed
	return changed
}

func (c *limited) Close() error {
	c.limiter.mu.Lock()
	c.limiter.open = slices.DeleteFunc(c.limiter.open, func(o *limited) bool { return o == c })
	c.limiter.mu.Unlock()
	return c.Conn.Close()
}

// sourceOf is who a connection is counted for: an IPv4 address or an IPv6 network of 64 bits, of which one machine has all
// addresses.
func sourceOf(c net.Conn) netip.Prefix {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	a := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}
