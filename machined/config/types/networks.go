package types

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Networks are networks of the cluster, at most one of each address family, written with a comma between them, as in
// Kubernetes' own flags: 10.42.0.0/16,fd42::/56.
type Networks []netip.Prefix

func (n Networks) String() string {
	texts := make([]string, len(n))
	for i, p := range n {
		texts[i] = p.String()
	}
	return strings.Join(texts, ",")
}

// MarshalText writes n as it is read.
func (n Networks) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads one or two networks of different families.
func (n *Networks) UnmarshalText(text []byte) error {
	var all Networks
	for item := range strings.SplitSeq(string(text), ",") {
		p, err := netip.ParsePrefix(strings.TrimSpace(item))
		if err != nil {
			return fmt.Errorf("%q is not a network such as 10.42.0.0/16, or two with a comma between them", text)
		}
		if slices.ContainsFunc(all, func(q netip.Prefix) bool { return q.Addr().Is4() == p.Addr().Is4() }) {
			return fmt.Errorf("%q has two networks of one address family; the second may be one of the other", text)
		}
		all = append(all, p)
	}
	*n = all
	return nil
}

// Contains is whether one of the networks contains a.
func (n Networks) Contains(a netip.Addr) bool {
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(a) })
}

// IsValid is whether there are networks at all.
func (n Networks) IsValid() bool {
	return len(n) > 0 && !slices.ContainsFunc(n, func(p netip.Prefix) bool { return !p.IsValid() })
}

// Overlaps is whether a network of n overlaps one of other.
func (n Networks) Overlaps(other Networks) bool {
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return slices.ContainsFunc(other, p.Overlaps) })
}

// IPv4 is the IPv4 network; not valid when there is none.
func (n Networks) IPv4() netip.Prefix { return n.family(true) }

// IPv6 is the IPv6 network; not valid when there is none.
func (n Networks) IPv6() netip.Prefix { return n.family(false) }

func (n Networks) family(is4 bool) netip.Prefix {
	for _, p := range n {
		if p.Addr().Is4() == is4 {
			return p
		}
	}
	return netip.Prefix{}
}
