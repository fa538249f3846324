package api

import (
	"crypto/tls"
	"net/netip"
	"sync"
	"time"
)

// A handshake costs the machine some milliseconds of CPU. One address may make so many that end without a known key at
// once, and then so many a second; what is more waits.
const (
	handshakeBurst = 40
	handshakeRate  = 10 // a second
	// maxSources bounds the table of addresses.
	maxSources = 1024
)

// handshakes slows down callers who keep coming without a key that the machine knows.
type handshakes struct {
	mu  sync.Mutex
	per map[netip.Prefix]bucket
}

// bucket is how many handshakes an address may still make, at a time. Below zero, so many wait.
type bucket struct {
	left float64
	at   time.Time
}

func (b bucket) now(t time.Time) float64 {
	return min(handshakeBurst, b.left+t.Sub(b.at).Seconds()*handshakeRate)
}

// take counts a handshake and returns how long it has to wait.
func (h *handshakes) take(from netip.Prefix, now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.per == nil {
		h.per = map[netip.Prefix]bucket{}
	}
	b, known := h.per[from]
	if !known {
		h.makeRoom(now)
		b = bucket{handshakeBurst, now}
	}
	left := b.now(now) - 1
	h.per[from] = bucket{left, now}
	return time.Duration(max(0, -left) / handshakeRate * float64(time.Second))
}

// giveBack takes a handshake back: the caller has a key.
func (h *handshakes) giveBack(from netip.Prefix, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if b, known := h.per[from]; known {
		h.per[from] = bucket{min(handshakeBurst, b.now(now)+1), now}
	}
}

// makeRoom forgets the addresses that have not come for a while, or else any one.
func (h *handshakes) makeRoom(now time.Time) {
	if len(h.per) < maxSources {
		return
	}
	for from, b := range h.per {
		if b.now(now) == handshakeBurst {
			delete(h.per, from)
		}
	}
	for from := range h.per {
		if len(h.per) < maxSources {
			return
		}
		delete(h.per, from)
	}
}

// wait holds a handshake up for as long as its address has to wait. It is a [tls.Config]'s GetConfigForClient: what
// comes after it is what costs.
func (h *handshakes) wait(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	timer := time.NewTimer(h.take(sourceOf(hello.Conn), time.Now()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil, nil // the same config
	case <-hello.Context().Done():
		return nil, hello.Context().Err()
	}
}
