package network

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Leases says what DHCP servers granted, in words, by interface. It reads what is kept for the next machined.
func Leases() map[string]string { return leasesIn(runDir, bootTime(), time.Now()) }

func leasesIn(dir string, sinceBoot time.Duration, now time.Time) map[string]string {
	files, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	said := map[string]string{}
	for _, file := range files {
		var m memory
		if text, err := os.ReadFile(file); err != nil || json.Unmarshal(text, &m) != nil {
			continue
		}
		var parts []string
		for _, l := range []*lease{m.Lease, m.Lease6} {
			if l != nil && l.Address.IsValid() {
				parts = append(parts, l.text(sinceBoot, now))
			}
		}
		if len(parts) > 0 {
			said[strings.TrimSuffix(filepath.Base(file), ".json")] = strings.Join(parts, "; ")
		}
	}
	return said
}

// text is the lease in words.
func (l *lease) text(sinceBoot time.Duration, now time.Time) string {
	from := "DHCPv6"
	if l.Server.IsValid() {
		from = l.Server.String()
	}
	until := "without end"
	if end, ends := l.ends(); ends {
		until = "until " + now.Add(end-sinceBoot).UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("%s from %s, %s", l.Address, from, until)
}
