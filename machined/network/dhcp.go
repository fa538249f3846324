package network

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// dhcpClient gets and keeps a lease for one interface (RFC 2131, section 4.4; RFC 8415, section 18.2).
type dhcpClient struct {
	exchange exchange
	log      *slog.Logger // that names the interface

	leased func(*lease) // a new or renewed lease; nil: it is gone
	asking func(error)  // no lease yet, and why
}

// exchange is how the servers that one interface reaches are asked. Its errors are errSilent, errRefused, or what went wrong.
type exchange interface {
	acquire(context.Context, tries) (*lease, error) // gets a new lease
	verify(context.Context, *lease) (*lease, error) // asks any server whether a lease from before is still good
	renew(context.Context, *lease) (*lease, error)  // asks the server that granted it
	rebind(context.Context, *lease) (*lease, error) // asks any server to renew it
}

var (
	errRefused = errors.New("the DHCP server refused")
	errSilent  = errors.New("no DHCP server answers")
)

// restart is the pause after a refusal or an error.
const restart = 2 * time.Second

// run keeps a lease until ctx ends. known is one from before, which is verified first (the INIT-REBOOT state); it may
// be nil.
func (c *dhcpClient) run(ctx context.Context, known *lease) {
	if known != nil && !known.expired(bootTime()) {
		known = c.verify(ctx, known)
	} else {
		known = nil
	}
	for tries := fastTries; ctx.Err() == nil; {
		if known == nil {
			l, err := c.exchange.acquire(ctx, tries)
			if err != nil {
				if ctx.Err() == nil {
					c.asking(err)
				}
				if !errors.Is(err, errSilent) {
					sleep(ctx, restart)
					continue
				}
				tries = slowTries
				continue
			}
			c.leased(l)
			known, tries = l, fastTries
		}
		known = c.keep(ctx, known)
	}
}

// verify asks whether a lease from before is still good here: the cable may be in another network now. Without an
// answer a new lease is asked for, and the old one kept if nobody answers that either.
func (c *dhcpClient) verify(ctx context.Context, l *lease) *lease {
	renewed, err := c.exchange.verify(ctx, l)
	if err == nil {
		c.leased(renewed)
		return renewed
	}
	if errors.Is(err, errRefused) {
		c.log.Info("the lease is not good here", "address", l.Address.Addr(), "error", err)
		c.leased(nil)
		return nil
	}
	if renewed, err = c.exchange.acquire(ctx, fewTries); err == nil {
		c.leased(renewed)
		return renewed
	}
	return l
}

// keep renews l for as long as it can, and returns nil when it is gone.
func (c *dhcpClient) keep(ctx context.Context, l *lease) *lease {
	for {
		do, wait := nextStep(l, bootTime())
		if wait > 0 && !sleep(ctx, wait) {
			return l
		}
		if wait > 0 {
			continue
		}
		var renewed *lease
		var err error
		switch do {
		case expire:
			c.log.Warn("the lease has ended and no DHCP server renewed it", "address", l.Address)
			c.leased(nil)
			return nil
		case renew:
			renewed, err = within(ctx, l.Acquired+l.Rebind-bootTime(), c.exchange.renew, l)
		case rebind:
			renewed, err = within(ctx, l.Acquired+l.Lifetime-bootTime(), c.exchange.rebind, l)
		}
		switch {
		case ctx.Err() != nil:
			return l
		case err == nil:
			c.leased(renewed)
			l = renewed
		case errors.Is(err, errRefused):
			c.log.Warn("the lease was taken back", "address", l.Address.Addr(), "error", err)
			c.leased(nil)
			return nil
		default:
			c.log.Info("the lease was not renewed", "address", l.Address.Addr(), "error", err)
			if !sleep(ctx, retryAfter(l, do, bootTime())) {
				return l
			}
		}
	}
}

// within extends a lease before the time for the next step comes.
func within(ctx context.Context, left time.Duration, extend func(context.Context, *lease) (*lease, error), l *lease) (*lease, error) {
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return extend(ctx, l)
}
