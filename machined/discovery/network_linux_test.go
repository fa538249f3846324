package discovery

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestReal* run in a network namespace of their own: TestInNamespace runs this test program again in a new one, with
// inside set.

const inside = "CORACLE_TEST_IN_NAMESPACE"

func TestInNamespace(t *testing.T) {
	if os.Getenv(inside) != "" {
		t.Skip("already there")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	c := exec.Command(os.Args[0], "-test.run=^TestReal", "-test.v")
	c.Env = append(os.Environ(), inside+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	out, err := c.CombinedOutput()
	if err != nil && strings.Contains(err.Error(), "operation not permitted") {
		t.Skipf("no namespaces here: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestReal") {
		t.Errorf("%v\n%s", err, out)
	}
}

// plug makes an interface with an address. What is sent to a group comes back to this host. Each test has a name of its
// own: package net remembers for a minute which index a name has.
func plug(t *testing.T, eth, address string) {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("run by TestInNamespace")
	}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: eth}, PeerName: "peer" + eth}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"peer" + eth, eth} {
		link, err := netlink.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == eth {
			parsed, err := netlink.ParseAddr(address)
			if err != nil {
				t.Fatal(err)
			}
			parsed.Flags = unix.IFA_F_NODAD // the address is usable at once
			if err := netlink.AddrAdd(link, parsed); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { netlink.LinkDel(link) })
		}
		if err := netlink.LinkSetUp(link); err != nil {
			t.Fatal(err)
		}
	}
	link, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
}

// live is what a test machine says of itself.
type live struct {
	sync.Mutex
	info Info
}

func (l *live) get() Info { l.Lock(); defer l.Unlock(); return l.info }

func (l *live) set(change func(*Info)) { l.Lock(); defer l.Unlock(); change(&l.info) }

// find browses until a machine is as it should be.
func find(t *testing.T, is func(Machine) bool) Machine {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found, err := Browse(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	for m := range found {
		if is(m) {
			return m
		}
		heard = append(heard, fmt.Sprintf("%+v", m))
	}
	t.Fatalf("no such machine answered; heard %q", heard)
	return Machine{}
}

func TestRealAnnounceAndBrowse(t *testing.T) {
	for name, tc := range map[string]struct {
		eth, address, want string
	}{
		"IPv4":            {"eth4", "192.0.2.7/24", "192.0.2.7:50000"},
		"IPv6 link-local": {"eth6", "fe80::7/64", "[fe80::7%eth6]:50000"},
	} {
		t.Run(name, func(t *testing.T) {
			plug(t, tc.eth, tc.address)
			l := live{info: edge}
			l.info.Addresses = []Address{{tc.eth, pfx(tc.address)}}
			ctx, cancel := context.WithCancel(t.Context())
			var announcer sync.WaitGroup
			announcer.Go(func() {
				Announce(ctx, l.get, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
			})
			defer announcer.Wait()
			defer cancel()

			m := find(t, func(m Machine) bool { return m.Name == edge.Name })
			if !slices.Contains(m.Addresses, netip.MustParseAddrPort(tc.want)) || m.Fingerprint != edge.Fingerprint || m.State != Maintenance {
				t.Errorf("found %+v, want it at %s", m, tc.want)
			}
			l.set(func(i *Info) { i.State, i.Name = Configured, "edge-2" })
			find(t, func(m Machine) bool { return m.Name == "edge-2" && m.State == Configured })
		})
	}
}

func TestRealNotYet(t *testing.T) {
	plug(t, "eth0", "192.0.2.7/24")
	l := live{info: Info{Name: "edge-1", Port: 50000}} // its key is not there yet
	l.info.Addresses = []Address{{"eth0", pfx("192.0.2.7/24")}}
	ctx, cancel := context.WithCancel(t.Context())
	var announcer sync.WaitGroup
	announcer.Go(func() { Announce(ctx, l.get, slog.New(slog.DiscardHandler)) })
	defer announcer.Wait()
	defer cancel()
	l.set(func(i *Info) { i.Fingerprint = edge.Fingerprint })
	find(t, func(m Machine) bool { return m.Fingerprint == edge.Fingerprint })
}
