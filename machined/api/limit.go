package api

import (
	"net"
	"net/netip"
	"sync"
)

// limiter is a listener that closes connections beyond a limit at once: whoever opens many and says nothing then
// keeps nobody else out for longer than the timeouts last.
type limiter struct {
	net.Listener
	most, mostPerAddress int

	mu    sync.Mutex
	total int
	per   map[netip.Addr]int
}

func newLimiter(l net.Listener, most, mostPerAddress int) *limiter {
	return &limiter{Listener: l, most: most, mostPerAddress: mostPerAddress, per: map[netip.Addr]int{}}
}

func (l *limiter) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		var from netip.Addr
		if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
			from = tcp.AddrPort().Addr().Unmap().WithZone("")
		}
		if l.take(from) {
			return &limited{Conn: c, release: sync.OnceFunc(func() { l.give(from) })}, nil
		}
		c.Close()
	}
}

func (l *limiter) take(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= l.most || l.per[from] >= l.mostPerAddress {
		return false
	}
	l.total++
	l.per[from]++
	return true
}

func (l *limiter) give(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.per[from]--; l.per[from] == 0 {
		delete(l.per, from)
	}
}

// limited is a connection that counts until it is closed.
type limited struct {
	net.Conn
	release func()
}

func (c *limited) Close() error {
	c.release()
	return c.Conn.Close()
}
