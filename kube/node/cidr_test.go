package node

import "testing"

func TestFirstPodCIDR(t *testing.T) {
	for cluster, want := range map[string]string{
		"10.42.0.0/16": "10.42.0.0/24", "10.42.7.9/16": "10.42.0.0/24", "192.0.2.0/24": "192.0.2.0/24",
		"192.0.2.0/25": "", "fd00::/48": "", "": "",
	} {
		if got, err := firstPodCIDR(cluster); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", cluster, got, err, want)
		}
	}
}
