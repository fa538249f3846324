package discovery

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// socket receives what is sent to the group of one IP version, and sends to it.
type socket struct {
	group netip.AddrPort

	mu   sync.Mutex // around the choice of an interface and sending on it
	join func(*net.Interface) error
	use  func(*net.Interface) error
	conn net.PacketConn
	read func([]byte) (n, index int, from net.Addr, err error)
}

// listen opens the socket of a group. For the address of a group, ListenPacket lets others on this host have the port too,
// and listens on every interface, but joins on none: there may be none yet.
func listen(group netip.AddrPort) (*socket, error) {
	to := net.UDPAddrFromAddrPort(group)
	if group.Addr().Is4() {
		conn, err := net.ListenPacket("udp4", to.String())
		if err != nil {
			return nil, fmt.Errorf("listen for multicast DNS: %w", err)
		}
		p := ipv4.NewPacketConn(conn)
		err = errors.Join(p.SetControlMessage(ipv4.FlagInterface, true), p.SetMulticastTTL(255), p.SetMulticastLoopback(true))
		return &socket{
			group: group, conn: conn, use: p.SetMulticastInterface,
			join: func(i *net.Interface) error { return p.JoinGroup(i, to) },
			read: func(b []byte) (int, int, net.Addr, error) {
				n, c, from, err := p.ReadFrom(b)
				if c == nil {
					return n, 0, from, err
				}
				return n, c.IfIndex, from, err
			},
		}, err
	}
	conn, err := net.ListenPacket("udp6", to.String())
	if err != nil {
		return nil, fmt.Errorf("listen for multicast DNS: %w", err)
	}
	p := ipv6.NewPacketConn(conn)
	err = errors.Join(p.SetControlMessage(ipv6.FlagInterface, true), p.SetMulticastHopLimit(255), p.SetMulticastLoopback(true))
	return &socket{
		group: group, conn: conn, use: p.SetMulticastInterface,
		join: func(i *net.Interface) error { return p.JoinGroup(i, to) },
		read: func(b []byte) (int, int, net.Addr, error) {
			n, c, from, err := p.ReadFrom(b)
			if c == nil {
				return n, 0, from, err
			}
			return n, c.IfIndex, from, err
		},
	}, err
}

// multicast sends a packet to the group on an interface.
func (s *socket) multicast(packet []byte, on *net.Interface) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.use(on); err != nil {
		return err
	}
	return s.send(packet, net.UDPAddrFromAddrPort(s.group))
}

func (s *socket) send(packet []byte, to net.Addr) error {
	s.conn.SetWriteDeadline(time.Now().Add(time.Second)) // it is of no use later
	_, err := s.conn.WriteTo(packet, to)
	return err
}
