package addons

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strings"
)

// resolvers are the machine's name servers that pods can use, for CoreDNS to forward to. They are written into its
// Corefile because "forward . /etc/resolv.conf" does not start with a machine that has no resolver (yet), and keeps to
// those that there were when its pod was made.
func resolvers(path string) ([]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	usable, unusable := parseResolvers(f)
	if len(usable) == 0 && len(unusable) > 0 {
		return nil, fmt.Errorf("pods cannot resolve names outside the cluster: none of %s in %s is reachable from pods",
			strings.Join(unusable, ", "), path)
	}
	return usable, nil
}

// maxResolvers is how many name servers resolv.conf(5) has.
const maxResolvers = 3

// parseResolvers sorts the nameserver lines of a resolv.conf. In a pod, loopback is the pod itself (CoreDNS would ask
// itself for ever), and a zone of a link-local address means nothing.
func parseResolvers(r io.Reader) (usable, unusable []string) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		addr, err := netip.ParseAddr(fields[1])
		switch {
		case err != nil:
		case addr.IsLoopback() || addr.IsUnspecified() || addr.Zone() != "" || addr.IsLinkLocalUnicast() && addr.Is6():
			unusable = append(unusable, fields[1])
		case len(usable) < maxResolvers:
			usable = append(usable, addr.Unmap().String())
		}
	}
	return usable, unusable
}
