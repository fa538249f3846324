package network

import (
	"context"
	"errors"
	"net"
	"strconv"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/nclient6"
	"github.com/insomniacslk/dhcp/iana"
)

// dhcp6Exchange asks the DHCPv6 servers that one interface reaches. It needs the interface's link-local address.
type dhcp6Exchange struct {
	index     int // of the interface
	mac       net.HardwareAddr
	stateless bool // for nameservers and the like only: the network gives addresses otherwise
}

// wanted6 are the options that are asked for.
var wanted6 = []dhcpv6.OptionCode{
	dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionDomainSearchList, dhcpv6.OptionNTPServer, dhcpv6.OptionSNTPServerList,
	dhcpv6.OptionInformationRefreshTime,
}

func (e dhcp6Exchange) acquire(ctx context.Context, t tries) (*lease, error) {
	if e.stateless {
		return e.ask(ctx, t, dhcpv6.MessageTypeInformationRequest)
	}
	client, err := e.open(t)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	solicit, err := e.message(dhcpv6.MessageTypeSolicit, nil, nil)
	if err != nil {
		return nil, err
	}
	advertise, err := client.SendAndRead(ctx, nclient6.AllDHCPRelayAgentsAndServers, solicit, func(m *dhcpv6.Message) bool {
		return m.MessageType == dhcpv6.MessageTypeAdvertise && e.isToUs(m) && readable(m)
	})
	if err != nil {
		return nil, silence6(err)
	}
	offered, err := parseLease6(advertise, bootTime(), false)
	if err != nil {
		return nil, err
	}
	request, err := e.message(dhcpv6.MessageTypeRequest, offered, offered.ServerID)
	if err != nil {
		return nil, err
	}
	return e.answer(client.SendAndRead(ctx, nclient6.AllDHCPRelayAgentsAndServers, request, e.isReply))
}

// verify asks whether l's address belongs on this link (a Confirm). Whoever gave it may not be there to say more.
func (e dhcp6Exchange) verify(ctx context.Context, l *lease) (*lease, error) {
	if e.stateless {
		return e.acquire(ctx, fewTries)
	}
	reply, err := e.send(ctx, fewTries, dhcpv6.MessageTypeConfirm, l, nil)
	if err != nil {
		return nil, silence6(err)
	}
	if err := refused(reply.Options.Status()); err != nil {
		return nil, err
	}
	return l, nil
}

func (e dhcp6Exchange) renew(ctx context.Context, l *lease) (*lease, error) {
	return e.extend(ctx, dhcpv6.MessageTypeRenew, l, l.ServerID)
}

func (e dhcp6Exchange) rebind(ctx context.Context, l *lease) (*lease, error) {
	return e.extend(ctx, dhcpv6.MessageTypeRebind, l, nil)
}

func (e dhcp6Exchange) extend(ctx context.Context, kind dhcpv6.MessageType, old *lease, server []byte) (*lease, error) {
	if e.stateless {
		return e.acquire(ctx, fewTries)
	}
	l, err := e.answer(e.send(ctx, fewTries, kind, old, server))
	if err != nil {
		return nil, err
	}
	return l.inherit(old), nil
}

// ask sends a message that says nothing but its kind, and reads the lease in the answer.
func (e dhcp6Exchange) ask(ctx context.Context, t tries, kind dhcpv6.MessageType) (*lease, error) {
	return e.answer(e.send(ctx, t, kind, nil, nil))
}

func (e dhcp6Exchange) send(ctx context.Context, t tries, kind dhcpv6.MessageType, l *lease, server []byte) (*dhcpv6.Message, error) {
	client, err := e.open(t)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	m, err := e.message(kind, l, server)
	if err != nil {
		return nil, err
	}
	return client.SendAndRead(ctx, nclient6.AllDHCPRelayAgentsAndServers, m, e.isReply)
}

// message makes a message about l, which may be nil, to the server with that DUID; nil: to all.
func (e dhcp6Exchange) message(kind dhcpv6.MessageType, l *lease, server []byte) (*dhcpv6.Message, error) {
	m, err := dhcpv6.NewMessage()
	if err != nil {
		return nil, err
	}
	m.MessageType = kind
	m.AddOption(dhcpv6.OptClientID(e.duid()))
	if server != nil {
		id, err := dhcpv6.DUIDFromBytes(server)
		if err != nil {
			return nil, err
		}
		m.AddOption(dhcpv6.OptServerID(id))
	}
	m.AddOption(dhcpv6.OptElapsedTime(0))
	m.AddOption(dhcpv6.OptRequestedOption(wanted6...))
	if kind != dhcpv6.MessageTypeInformationRequest {
		ia := &dhcpv6.OptIANA{}
		copy(ia.IaId[:], e.mac[max(0, len(e.mac)-4):])
		if l != nil {
			ia.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: l.Address.Addr().AsSlice()})
		}
		m.AddOption(ia)
	}
	return m, nil
}

// duid is who we are: the MAC address, so that it is the same at each boot, and known to who reserves addresses.
func (e dhcp6Exchange) duid() dhcpv6.DUID {
	return &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: e.mac}
}

func (e dhcp6Exchange) isToUs(m *dhcpv6.Message) bool {
	id := m.Options.ClientID()
	return id != nil && id.Equal(e.duid())
}

func (e dhcp6Exchange) isReply(m *dhcpv6.Message) bool {
	return m.MessageType == dhcpv6.MessageTypeReply && e.isToUs(m)
}

// readable is whether an offer is one that we can take.
func readable(m *dhcpv6.Message) bool {
	_, err := parseLease6(m, 0, false)
	return err == nil
}

func (e dhcp6Exchange) answer(m *dhcpv6.Message, err error) (*lease, error) {
	if err != nil {
		return nil, silence6(err)
	}
	return parseLease6(m, bootTime(), e.stateless)
}

// silence6 says in our words that nobody answered.
func silence6(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nclient6.ErrNoResponse) {
		return errSilent
	}
	return err
}

// open opens a socket at the interface's link-local address. The zone is a number: package net remembers for a minute which
// interface a name was, and it may be another by now.
func (e dhcp6Exchange) open(t tries) (*nclient6.Client, error) {
	own := linkLocal(e.index)
	if own == nil {
		return nil, errors.New("there is no IPv6 link-local address to ask DHCPv6 from")
	}
	conn, err := net.ListenUDP("udp6", &net.UDPAddr{IP: own, Port: dhcpv6.DefaultClientPort, Zone: strconv.Itoa(e.index)})
	if err != nil {
		return nil, err
	}
	return nclient6.NewWithConn(conn, e.mac, nclient6.WithTimeout(t.wait), nclient6.WithRetry(t.n))
}
