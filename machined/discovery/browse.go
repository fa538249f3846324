package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// askAfter is when it is asked again, after the first time; then every last of them.
var askAfter = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

// Browse looks for machines on every network of this host until ctx ends, which closes the channel. A machine comes
// again when something else is heard of it.
func Browse(ctx context.Context) (<-chan Machine, error) {
	query, err := ask()
	if err != nil {
		return nil, err
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("look for network interfaces: %w", err)
	}
	b := browser{out: make(chan Machine), seen: map[string]Machine{}}
	var all sync.WaitGroup
	var problems []error
	opened := 0
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagMulticast == 0 {
			continue
		}
		for _, group := range []netip.Addr{group4, group6} {
			conn, err := askOn(i, group)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			opened++
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			all.Go(func() {
				defer stop()
				b.receive(ctx, conn)
			})
			all.Go(func() { send(ctx, conn, query, netip.AddrPortFrom(group, Port)) })
		}
	}
	if opened == 0 {
		return nil, errors.Join(append([]error{errors.New("no network interface is up that has multicast")}, problems...)...)
	}
	go func() {
		all.Wait()
		close(b.out)
	}()
	return b.out, nil
}

// askOn opens a socket that sends to the group on one interface. Its port is any: answers come to it alone, so that
// neither a responder on this host nor rights to its port are in the way (RFC 6762 section 5.1).
func askOn(i net.Interface, group netip.Addr) (*net.UDPConn, error) {
	network := "udp6"
	if group.Is4() {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, nil)
	if err == nil {
		if group.Is4() {
			p := ipv4.NewPacketConn(conn)
			err = errors.Join(p.SetMulticastInterface(&i), p.SetMulticastTTL(255), p.SetMulticastLoopback(true))
		} else {
			p := ipv6.NewPacketConn(conn)
			err = errors.Join(p.SetMulticastInterface(&i), p.SetMulticastHopLimit(255), p.SetMulticastLoopback(true))
		}
		if err == nil {
			return conn, nil
		}
		conn.Close()
	}
	return nil, fmt.Errorf("multicast DNS on %s: %w", i.Name, err)
}

// send asks again and again: packets get lost, and machines come up.
func send(ctx context.Context, conn *net.UDPConn, query []byte, to netip.AddrPort) {
	for n := 0; ; n++ {
		conn.WriteToUDPAddrPort(query, to) // where it cannot be sent, nobody answers
		select {
		case <-ctx.Done():
			return
		case <-time.After(askAfter[min(n, len(askAfter)-1)]):
		}
	}
}

// browser gathers what is heard.
type browser struct {
	out  chan Machine
	mu   sync.Mutex
	seen map[string]Machine // by fingerprint
}

// receive takes answers until the socket is closed.
func (b *browser) receive(ctx context.Context, conn *net.UDPConn) {
	buffer := make([]byte, maxMessage)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buffer)
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // such as an ICMP error that is meant for another packet
		}
		if m, ok := parseAnswer(buffer[:n], from.Addr()); ok {
			if m, news := b.add(m, from.Addr()); news {
				select {
				case b.out <- m:
				case <-ctx.Done():
					return
				}
			}
		}
	}
}

// add merges what was heard with what was known of the machine; news is whether that is something else.
func (b *browser) add(m Machine, from netip.Addr) (merged Machine, news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, known := b.seen[m.Fingerprint]
	for _, a := range old.Addresses {
		if known && a.Port() == m.Port {
			m.Addresses = appendNew(m.Addresses, a)
		}
	}
	sortAddresses(m.Addresses, from.Unmap())
	b.seen[m.Fingerprint] = m
	same := known && len(old.Addresses) == len(m.Addresses) && old.Info.equal(m.Info)
	return m, !same
}

func appendNew(list []netip.AddrPort, a netip.AddrPort) []netip.AddrPort {
	for _, b := range list {
		if a == b {
			return list
		}
	}
	return append(list, a)
}
