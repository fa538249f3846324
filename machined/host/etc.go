package host

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// EtcDir has the files that /etc links to.
const EtcDir = "/run/coracle/etc"

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

// writeChanged writes a file unless it has that content: others watch these files.
func writeChanged(path, content string) error {
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, []byte(content)) {
		return nil
	}
	return atomicfile.Write(path, []byte(content), 0o644)
}
