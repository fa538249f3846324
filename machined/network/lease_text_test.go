package network

import (
	"net/netip"
	"testing"
	"time"
)

func TestLeasesInWords(t *testing.T) {
	dir := t.TempDir()
	four := &lease{Address: netip.MustParsePrefix("192.0.2.7/24"), Server: netip.MustParseAddr("192.0.2.1"), Acquired: time.Hour, Lifetime: 2 * time.Hour}
	six := &lease{Address: netip.MustParsePrefix("2001:db8::7/128"), ServerID: []byte{1}}
	for name, m := range map[string]memory{"eth0": {Lease: four, Lease6: six}, "eth1": {Lease6: &lease{}}, "eth2": {}} {
		if err := m.keep(dir, name); err != nil {
			t.Fatal(err)
		}
	}
	got := leasesIn(dir, 90*time.Minute, time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC))
	if want := "192.0.2.7/24 from 192.0.2.1, until 2026-01-02T04:30:00Z; 2001:db8::7/128 from DHCPv6, without end"; len(got) != 1 || got["eth0"] != want {
		t.Errorf("%q, want %q", got, want)
	}
}
