package network

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/machined/config/types"
)

// dhcp6Mode is what DHCPv6 is asked for.
type dhcp6Mode int

const (
	dhcp6Off       dhcp6Mode = iota
	dhcp6Stateless           // nameservers and the like
	dhcp6Stateful            // an address too
)

// Flags of an interface that the kernel keeps from the last router advertisement (linux/if_link.h, IFLA_INET6_FLAGS;
// include/net/if_inet6.h).
const (
	advertisedOther   = 0x80 // O: there is more to know from DHCPv6
	advertisedManaged = 0x40 // M: addresses are had from DHCPv6
)

// attributeType takes the flags off the type of a netlink attribute (linux/netlink.h: NLA_TYPE_MASK).
const attributeType = 0x3fff

// dhcp6ModeFor is what to ask DHCPv6 for on an interface with settings c, whose last router advertisement left flags.
func dhcp6ModeFor(c *types.Interface, flags uint32) dhcp6Mode {
	switch {
	case c.IPv6 == types.IPv6Off:
		return dhcp6Off
	case c.IPv6 == types.IPv6DHCP, flags&advertisedManaged != 0:
		return dhcp6Stateful
	case flags&advertisedOther != 0:
		return dhcp6Stateless
	}
	return dhcp6Off
}

// advertised reads the flags of all interfaces that do IPv6, by index.
func advertised() (map[int]uint32, error) {
	request := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	request.AddData(nl.NewIfInfomsg(unix.AF_INET6))
	messages, err := request.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return nil, fmt.Errorf("ask the kernel for what routers advertise: %w", err)
	}
	all := map[int]uint32{}
	for _, m := range messages {
		if index, flags, ok := readAdvertised(m); ok {
			all[index] = flags
		}
	}
	return all, nil
}

// watchAdvertised sends the index of an interface whenever its flags are others, until done is closed.
func watchAdvertised(done <-chan struct{}) (<-chan int, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_IPV6_IFINFO)
	if err != nil {
		return nil, fmt.Errorf("watch what routers advertise: %w", err)
	}
	go func() {
		<-done
		socket.Close()
	}()
	indexes := make(chan int, 16)
	go func() {
		defer close(indexes)
		for {
			messages, _, err := socket.Receive()
			if err != nil {
				return
			}
			for _, m := range messages {
				if index, _, ok := readAdvertised(m.Data); ok {
					indexes <- index
				}
			}
		}
	}()
	return indexes, nil
}

// readAdvertised reads a message of the kernel: IFLA_INET6_FLAGS in IFLA_PROTINFO.
func readAdvertised(message []byte) (index int, flags uint32, ok bool) {
	if len(message) < unix.SizeofIfInfomsg {
		return 0, 0, false
	}
	index = int(nl.DeserializeIfInfomsg(message).Index)
	attributes, err := nl.ParseRouteAttr(message[unix.SizeofIfInfomsg:])
	if err != nil {
		return 0, 0, false
	}
	for _, a := range attributes {
		if a.Attr.Type&attributeType != unix.IFLA_PROTINFO {
			continue
		}
		inner, err := nl.ParseRouteAttr(a.Value)
		if err != nil {
			return 0, 0, false
		}
		for _, b := range inner {
			if b.Attr.Type&attributeType == unix.IFLA_INET6_FLAGS && len(b.Value) == 4 {
				return index, binary.NativeEndian.Uint32(b.Value), true
			}
		}
	}
	return 0, 0, false
}
