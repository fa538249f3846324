// Package discovery finds machines on the local network, and lets a machine be found: DNS-SD (RFC 6763) over multicast
// DNS (RFC 6762), service _coracle._tcp.
//
// What is found is hearsay: anybody on the network may answer. A fingerprint that was heard is to be compared with the
// one on the machine's console before it is trusted.
package discovery

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Port of multicast DNS.
const Port = 5353

// The groups of multicast DNS, on the local link.
var (
	group4 = netip.MustParseAddr("224.0.0.251")
	group6 = netip.MustParseAddr("ff02::fb")
)

// State of a machine.
type State string

const (
	Maintenance State = "maintenance" // it has no config and takes one
	Configured  State = "configured"
)

// Info is what a machine says of itself.
type Info struct {
	Name        string // of the machine
	Port        uint16 // of its API
	Fingerprint string // of its key: SHA256:…
	Version     string // of Coracle
	State       State

	// Addresses of the interfaces on which the machine is to be found, which are not those of the pod network. Those of
	// a machine that was found are in [Machine].
	Addresses []Address
}

// Address is an address of an interface.
type Address struct {
	Interface string
	Prefix    netip.Prefix
}

// on is which addresses the interface of that name has.
func (i Info) on(name string) (list []netip.Prefix) {
	for _, a := range i.Addresses {
		if a.Interface == name {
			list = append(list, a.Prefix)
		}
	}
	return list
}

// equal is whether other would be announced alike.
func (i Info) equal(other Info) bool {
	return slices.Equal(i.Addresses, other.Addresses) && slices.Equal(i.text(), other.text()) && i.Port == other.Port
}

// Machine is one that was found.
type Machine struct {
	Info
	Addresses []netip.AddrPort // of its API, the likeliest to answer first
}

// The keys of the TXT record.
const (
	keyName        = "name"
	keyFingerprint = "fingerprint"
	keyVersion     = "version"
	keyState       = "state"
)

// text is the content of the TXT record, strings of at most 255 bytes (RFC 6763 section 6.1).
func (i Info) text() []string {
	list := []string{"txtvers=1"}
	for _, kv := range [][2]string{
		{keyName, i.Name}, {keyFingerprint, i.Fingerprint}, {keyVersion, i.Version}, {keyState, string(i.State)},
	} {
		s := kv[0] + "=" + kv[1]
		list = append(list, s[:min(len(s), 255)])
	}
	return list
}

// readText takes what text wrote, and drops what is not fit to be shown on a terminal.
func (i *Info) readText(list []string) {
	for _, s := range list {
		key, value, _ := strings.Cut(s, "=")
		value = printable(value)
		switch strings.ToLower(key) {
		case keyName:
			i.Name = value
		case keyFingerprint:
			i.Fingerprint = value
		case keyVersion:
			i.Version = value
		case keyState:
			i.State = State(value)
		}
	}
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// id is part of all names of a machine, so that those of two machines differ without their having to agree on it
// (RFC 6762 section 8.1 has them probe): 8 letters and digits of its key's fingerprint. Names do not tell apart upper
// and lower case, which leaves 41 bits.
func (i Info) id() string {
	hash := strings.TrimPrefix(i.Fingerprint, "SHA256:")
	hash = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(hash))
	return hash[:min(len(hash), 8)]
}

// instance is the DNS-SD instance name, one label of at most 63 bytes.
func (i Info) instance() string {
	name := strings.ReplaceAll(i.Name, ".", "-") // the DNS library has no dots in labels; TXT has the name as it is
	suffix := fmt.Sprintf(" (%s)", i.id())
	return name[:min(len(name), 63-len(suffix))] + suffix
}

// host is the name that addresses are published under.
func (i Info) host() string { return "coracle-" + i.id() + ".local." }

// sortAddresses puts IPv4 before IPv6, and link-local IPv6, which needs a zone, last. The one that answered goes before
// others of its kind.
func sortAddresses(list []netip.AddrPort, from netip.Addr) {
	kind := func(a netip.Addr) int {
		switch {
		case a.Is4():
			return 0
		case a.IsLinkLocalUnicast():
			return 2
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b netip.AddrPort) int {
		if c := kind(a.Addr()) - kind(b.Addr()); c != 0 {
			return c
		}
		if (a.Addr() == from) != (b.Addr() == from) {
			if a.Addr() == from {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.String(), b.String())
	})
}
