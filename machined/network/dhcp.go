package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"golang.org/x/sys/unix"
)

// dhcpClient gets and keeps a lease for one interface (RFC 2131, section 4.4).
type dhcpClient struct {
	name     string // of the interface
	mac      net.HardwareAddr
	hostname string // told to the server; may be empty
	log      *slog.Logger

	leased func(*lease) // a new or renewed lease; nil: it is gone
	asking func(error)  // no lease yet, and why
}

// How often a message is sent, the first time at once. Waits double.
var (
	fastTries = tries{time.Second, 5}     // 31 s: a server that is there answers the first
	slowTries = tries{8 * time.Second, 3} // afterwards, 56 s
	fewTries  = tries{time.Second, 3}     // when a server has just answered, or something else can be done
)

type tries struct {
	wait time.Duration
	n    int
}

// restart is the pause after a refusal or an error.
const restart = 2 * time.Second

var errRefused = errors.New("the DHCP server refused")

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
			l, err := c.acquire(ctx, tries)
			if err != nil {
				if ctx.Err() == nil {
					c.asking(err)
				}
				if !errors.Is(err, nclient4.ErrNoResponse) {
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
	renewed, err := c.request(ctx, fewTries, l, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(l.Address.Addr().AsSlice())))
	if err == nil {
		c.leased(renewed)
		return renewed
	}
	if errors.Is(err, errRefused) {
		c.log.Info("the lease is not good here", "interface", c.name, "address", l.Address, "error", err)
		c.leased(nil)
		return nil
	}
	if renewed, err = c.acquire(ctx, fewTries); err == nil {
		c.leased(renewed)
		return renewed
	}
	return l
}

// acquire gets a new lease.
func (c *dhcpClient) acquire(ctx context.Context, t tries) (*lease, error) {
	client, err := c.open(t)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	discover, err := c.message(dhcpv4.MessageTypeDiscover)
	if err != nil {
		return nil, err
	}
	offer, err := client.SendAndRead(ctx, nclient4.DefaultServers, discover, func(m *dhcpv4.DHCPv4) bool {
		_, err := parseLease(m, 0)
		return m.MessageType() == dhcpv4.MessageTypeOffer && err == nil
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second) // it has just answered
	defer cancel()
	request, err := c.message(dhcpv4.MessageTypeRequest, dhcpv4.WithTransactionID(offer.TransactionID),
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier())))
	if err != nil {
		return nil, err
	}
	return c.answer(client.SendAndRead(ctx, nclient4.DefaultServers, request, nclient4.IsAll(
		nclient4.IsCorrectServer(offer.ServerIdentifier()), isAnswer)))
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
			c.log.Warn("the lease has ended and no DHCP server renewed it", "interface", c.name, "address", l.Address)
			c.leased(nil)
			return nil
		case renew:
			renewed, err = c.renewUnicast(ctx, l)
		case rebind:
			renewed, err = c.request(ctx, fewTries, l, dhcpv4.WithClientIP(l.Address.Addr().AsSlice()))
		}
		switch {
		case ctx.Err() != nil:
			return l
		case err == nil:
			c.leased(renewed)
			l = renewed
		case errors.Is(err, errRefused):
			c.log.Warn("the lease was taken back", "interface", c.name, "address", l.Address, "error", err)
			c.leased(nil)
			return nil
		default:
			c.log.Info("the lease was not renewed", "interface", c.name, "address", l.Address, "error", err)
			if !sleep(ctx, retryAfter(l, do, bootTime())) {
				return l
			}
		}
	}
}

// step is what a lease needs next.
type step int

const (
	renew  step = iota // ask its server
	rebind             // ask any server
	expire             // it has ended
)

// nextStep is what to do with l at now, and how long to wait before that.
func nextStep(l *lease, now time.Duration) (step, time.Duration) {
	end, ends := l.ends()
	switch age := now - l.Acquired; {
	case !ends:
		return renew, time.Hour // and again: for ever
	case now >= end:
		return expire, 0
	case age >= l.Rebind:
		return rebind, 0
	default:
		return renew, max(0, l.Renew-age)
	}
}

// retryAfter is the pause after a try that had no answer: half of what is left until the next step, but 60 s at least
// (RFC 2131, section 4.4.5); less only when less is left.
func retryAfter(l *lease, tried step, now time.Duration) time.Duration {
	next := l.Acquired + l.Rebind
	if tried == rebind {
		next = l.Acquired + l.Lifetime
	}
	left := next - now
	return max(100*time.Millisecond, min(max(left/2, time.Minute), left))
}

// request broadcasts a DHCPREQUEST for l.
func (c *dhcpClient) request(ctx context.Context, t tries, l *lease, modifiers ...dhcpv4.Modifier) (*lease, error) {
	client, err := c.open(t)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return c.ask(ctx, client, nclient4.DefaultServers, l, modifiers...)
}

// renewUnicast sends a DHCPREQUEST to the server that granted l, from l's address.
func (c *dhcpClient) renewUnicast(ctx context.Context, l *lease) (*lease, error) {
	address := net.IP(l.Address.Addr().AsSlice())
	client, err := nclient4.New(c.name, nclient4.WithHWAddr(c.mac), nclient4.WithTimeout(fewTries.wait), nclient4.WithRetry(fewTries.n),
		nclient4.WithUnicast(&net.UDPAddr{IP: address, Port: nclient4.ClientPort}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	server := &net.UDPAddr{IP: l.Server.AsSlice(), Port: nclient4.ServerPort}
	return c.ask(ctx, client, server, l, dhcpv4.WithClientIP(address))
}

func (c *dhcpClient) ask(ctx context.Context, client *nclient4.Client, to *net.UDPAddr, old *lease, modifiers ...dhcpv4.Modifier) (*lease, error) {
	request, err := c.message(dhcpv4.MessageTypeRequest, modifiers...)
	if err != nil {
		return nil, err
	}
	l, err := c.answer(client.SendAndRead(ctx, to, request, isAnswer))
	if err != nil {
		return nil, err
	}
	return l.inherit(old), nil
}

// inherit fills in what a renewal leaves out: some servers, Windows' among them, then send the times only.
func (l *lease) inherit(old *lease) *lease {
	if l.Address.Addr() != old.Address.Addr() || len(l.Routes)+len(l.Nameservers) > 0 {
		return l
	}
	filled := *old
	filled.Server, filled.Acquired, filled.Renew, filled.Rebind, filled.Lifetime = l.Server, l.Acquired, l.Renew, l.Rebind, l.Lifetime
	return &filled
}

// isAnswer is whether m answers a DHCPREQUEST in a way that can be used.
func isAnswer(m *dhcpv4.DHCPv4) bool {
	switch m.MessageType() {
	case dhcpv4.MessageTypeNak:
		return true
	case dhcpv4.MessageTypeAck:
		_, err := parseLease(m, 0)
		return err == nil
	}
	return false
}

func (c *dhcpClient) answer(m *dhcpv4.DHCPv4, err error) (*lease, error) {
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, nclient4.ErrNoResponse
	}
	if err != nil {
		return nil, err
	}
	if m.MessageType() == dhcpv4.MessageTypeNak {
		if why := hostText(m.Message()); why != "" {
			return nil, fmt.Errorf("%w: %s", errRefused, why)
		}
		return nil, errRefused
	}
	return parseLease(m, bootTime())
}

// message makes a message to a server.
func (c *dhcpClient) message(kind dhcpv4.MessageType, modifiers ...dhcpv4.Modifier) (*dhcpv4.DHCPv4, error) {
	all := []dhcpv4.Modifier{
		dhcpv4.WithMessageType(kind), dhcpv4.WithHwAddr(c.mac), dhcpv4.WithRequestedOptions(wanted...),
		dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(nclient4.MaxMessageSize)),
	}
	if c.hostname != "" {
		all = append(all, dhcpv4.WithOption(dhcpv4.OptHostName(c.hostname)))
	}
	return dhcpv4.New(append(all, modifiers...)...)
}

// open opens a raw socket, as the interface may have no address. It is closed after each exchange: it sees
// every packet of the interface.
func (c *dhcpClient) open(t tries) (*nclient4.Client, error) {
	return nclient4.New(c.name, nclient4.WithHWAddr(c.mac), nclient4.WithTimeout(t.wait), nclient4.WithRetry(t.n))
}

// hostText is what a server says, fit for a log.
func hostText(s string) string {
	b := make([]rune, 0, len(s))
	for _, r := range s {
		if r >= ' ' && r != 0x7f && r != 0xfffd {
			b = append(b, r)
		}
	}
	return string(b[:min(len(b), 100)])
}

// sleep waits, and returns whether it did until the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// bootTime is the time since the machine booted, suspended or not.
func bootTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("CLOCK_BOOTTIME: " + err.Error()) // Linux has had it since 2.6.39
	}
	return time.Duration(t.Nano())
}
