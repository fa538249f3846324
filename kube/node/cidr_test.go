package node

import (
	"strings"
	"testing"
)

func TestFirstPodCIDRs(t *testing.T) {
	for cluster, want := range map[string]string{
		"10.42.0.0/16": "10.42.0.0/24", "10.42.7.9/16": "10.42.0.0/24", "192.0.2.0/24": "192.0.2.0/24",
		"10.42.0.0/16,fd42::/56": "10.42.0.0/24 fd42::/64", "fd00::/48": "fd00::/64",
		"192.0.2.0/25": "", "10.42.0.0/16,fd42::/80": "", "": "", "10.42.0.0/16,": "",
	} {
		if got, err := firstPodCIDRs(cluster); strings.Join(got, " ") != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", cluster, got, err, want)
		}
	}
}
