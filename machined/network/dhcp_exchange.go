package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
)

// dhcpExchange asks the DHCPv4 servers that one interface reaches, and reads what they answer.
type dhcpExchange struct {
	name     string // of the interface
	mac      net.HardwareAddr
	hostname string // told to the server; may be empty
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

// acquire gets a new lease.
func (e dhcpExchange) acquire(ctx context.Context, t tries) (*lease, error) {
	client, err := e.open(t)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	discover, err := e.message(dhcpv4.MessageTypeDiscover)
	if err != nil {
		return nil, err
	}
	offer, err := client.SendAndRead(ctx, nclient4.DefaultServers, discover, func(m *dhcpv4.DHCPv4) bool {
		_, err := parseLease(m, 0)
		return m.MessageType() == dhcpv4.MessageTypeOffer && err == nil
	})
	if err != nil {
		return nil, silence4(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second) // it has just answered
	defer cancel()
	request, err := e.message(dhcpv4.MessageTypeRequest, dhcpv4.WithTransactionID(offer.TransactionID),
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier())))
	if err != nil {
		return nil, err
	}
	return answer(client.SendAndRead(ctx, nclient4.DefaultServers, request, nclient4.IsAll(
		nclient4.IsCorrectServer(offer.ServerIdentifier()), isAnswer)))
}

// verify asks any server whether l is still good (the INIT-REBOOT state).
func (e dhcpExchange) verify(ctx context.Context, l *lease) (*lease, error) {
	return e.broadcast(ctx, l, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(l.Address.Addr().AsSlice())))
}

// renew asks the server that granted l, from l's address.
func (e dhcpExchange) renew(ctx context.Context, l *lease) (*lease, error) {
	address := net.IP(l.Address.Addr().AsSlice())
	client, err := e.open(fewTries, nclient4.WithUnicast(&net.UDPAddr{IP: address, Port: nclient4.ClientPort}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	server := &net.UDPAddr{IP: l.Server.AsSlice(), Port: nclient4.ServerPort}
	return e.ask(ctx, client, server, l, dhcpv4.WithClientIP(address))
}

// rebind asks any server to renew l.
func (e dhcpExchange) rebind(ctx context.Context, l *lease) (*lease, error) {
	return e.broadcast(ctx, l, dhcpv4.WithClientIP(l.Address.Addr().AsSlice()))
}

func (e dhcpExchange) broadcast(ctx context.Context, l *lease, modifiers ...dhcpv4.Modifier) (*lease, error) {
	client, err := e.open(fewTries)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return e.ask(ctx, client, nclient4.DefaultServers, l, modifiers...)
}

// ask sends a DHCPREQUEST for old, and returns the lease that the answer makes of it.
func (e dhcpExchange) ask(ctx context.Context, client *nclient4.Client, to *net.UDPAddr, old *lease, modifiers ...dhcpv4.Modifier) (*lease, error) {
	request, err := e.message(dhcpv4.MessageTypeRequest, modifiers...)
	if err != nil {
		return nil, err
	}
	l, err := answer(client.SendAndRead(ctx, to, request, isAnswer))
	if err != nil {
		return nil, err
	}
	return l.inherit(old), nil
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

// answer reads the lease in what answered a DHCPREQUEST.
func answer(m *dhcpv4.DHCPv4, err error) (*lease, error) {
	if err != nil {
		return nil, silence4(err)
	}
	if m.MessageType() == dhcpv4.MessageTypeNak {
		if why := hostText(m.Message()); why != "" {
			return nil, fmt.Errorf("%w: %s", errRefused, why)
		}
		return nil, errRefused
	}
	return parseLease(m, bootTime())
}

// silence4 says in our words that nobody answered.
func silence4(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nclient4.ErrNoResponse) {
		return errSilent
	}
	return err
}

// message makes a message to a server.
func (e dhcpExchange) message(kind dhcpv4.MessageType, modifiers ...dhcpv4.Modifier) (*dhcpv4.DHCPv4, error) {
	all := []dhcpv4.Modifier{
		dhcpv4.WithMessageType(kind), dhcpv4.WithHwAddr(e.mac), dhcpv4.WithRequestedOptions(wanted...),
		dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(nclient4.MaxMessageSize)),
	}
	if e.hostname != "" {
		all = append(all, dhcpv4.WithOption(dhcpv4.OptHostName(e.hostname)))
	}
	return dhcpv4.New(append(all, modifiers...)...)
}

// open opens a raw socket, as the interface may have no address, unless more says otherwise. It is closed after each
// exchange: it sees every packet of the interface.
func (e dhcpExchange) open(t tries, more ...nclient4.ClientOpt) (*nclient4.Client, error) {
	all := []nclient4.ClientOpt{nclient4.WithHWAddr(e.mac), nclient4.WithTimeout(t.wait), nclient4.WithRetry(t.n)}
	return nclient4.New(e.name, append(all, more...)...)
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
