package node

import (
	"context"
	"net"
	"sync"
	"time"
)

// Gate holds connections to the apiserver back until it serves. The kubelet starts at the same time as the apiserver; its
// first requests wait here instead of failing, which would set off back-offs of many seconds.
type Gate struct {
	opened chan struct{}
	once   sync.Once
	dialer net.Dialer
}

// NewGate makes a closed gate.
func NewGate() *Gate {
	return &Gate{opened: make(chan struct{}), dialer: net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}}
}

// Open lets connections through. It may be called more than once.
func (g *Gate) Open() { g.once.Do(func() { close(g.opened) }) }

// Dial is for rest.Config.
func (g *Gate) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	select {
	case <-g.opened:
		return g.dialer.DialContext(ctx, network, address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
