package host

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// EtcDir has the files that /etc links to.
const EtcDir = "/run/coracle/etc"

// maxNameservers is how many a resolver asks (MAXNS of resolv.h).
const maxNameservers = 3

// WriteHosts writes hosts in dir. ip may be the zero address.
func WriteHosts(dir, name string, ip netip.Addr) error {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	own := name
	if short, _, dotted := strings.Cut(name, "."); dotted {
		own += " " + short
	}
	if ip.IsValid() {
		fmt.Fprintf(&b, "%s %s\n", ip, own)
	} else {
		fmt.Fprintf(&b, "127.0.1.1 %s\n", own)
	}
	return writeChanged(filepath.Join(dir, "hosts"), b.String())
}

// WriteMachineID writes machine-id in dir.
func WriteMachineID(dir, id string) error {
	return writeChanged(filepath.Join(dir, "machine-id"), id+"\n")
}

// WriteResolver writes resolv.conf in dir. Pods get the same nameservers through the cluster's DNS.
func WriteResolver(dir string, nameservers []netip.Addr, search []string) error {
	return writeChanged(filepath.Join(dir, "resolv.conf"), resolver(nameservers, search))
}

func resolver(nameservers []netip.Addr, search []string) string {
	var b strings.Builder
	seen := map[netip.Addr]bool{}
	for _, n := range nameservers {
		if seen[n] || len(seen) == maxNameservers {
			continue
		}
		seen[n] = true
		fmt.Fprintf(&b, "nameserver %s\n", n)
	}
	if len(search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(unique(search), " "))
	}
	return b.String()
}

// unique is list without repetitions, in its order.
func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// writeChanged writes a file unless it has that content: others watch these files.
func writeChanged(path, content string) error {
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, []byte(content)) {
		return nil
	}
	return atomicfile.Write(path, []byte(content), 0o644)
}
