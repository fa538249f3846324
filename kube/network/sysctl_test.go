package network

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kernel makes a /proc/sys with every key at 0, except those that missing has.
func kernel(t *testing.T, missing ...string) string {
	t.Helper()
	root := t.TempDir()
	keys := []string{"net/ipv6/conf/eth0/accept_ra"}
	for _, s := range sysctls {
		keys = append(keys, s.key)
	}
next:
	for _, k := range keys {
		for _, m := range missing {
			if strings.HasPrefix(k, m) {
				continue next
			}
		}
		path := filepath.Join(root, k)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("0\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func value(t *testing.T, root, key string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, key))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestApplyIPv4LeavesIPv6Alone(t *testing.T) {
	root := kernel(t)
	if err := apply(root, false, []string{"eth0"}); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"net/ipv4/ip_forward":                "1",
		"net/bridge/bridge-nf-call-iptables": "1",
		"net/ipv4/conf/all/rp_filter":        "2",
		// A host with IPv6 forwarding loses its SLAAC default route.
		"net/ipv6/conf/all/forwarding": "0",
		"net/ipv6/conf/eth0/accept_ra": "0",
	} {
		if got := value(t, root, key); got != want {
			t.Errorf("%s = %s, want %s", key, got, want)
		}
	}
}

func TestApplyIPv6KeepsRouterAdvertisements(t *testing.T) {
	root := kernel(t)
	if err := apply(root, true, []string{"eth0"}); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"net/ipv6/conf/all/forwarding": "1",
		"net/ipv6/conf/eth0/accept_ra": "2",
	} {
		if got := value(t, root, key); got != want {
			t.Errorf("%s = %s, want %s", key, got, want)
		}
	}
}

func TestApplyNamesTheMissingModuleAndGoesOn(t *testing.T) {
	root := kernel(t, "net/bridge")
	err := apply(root, false, nil)
	if err == nil || !strings.Contains(err.Error(), "br_netfilter") {
		t.Errorf("error %v does not name the module", err)
	}
	if got := value(t, root, "net/ipv4/conf/all/rp_filter"); got != "2" {
		t.Errorf("rp_filter = %s: keys after the missing one were not set", got)
	}
}

func TestApplyWritesNothingThatIsRight(t *testing.T) {
	root := kernel(t)
	if err := apply(root, false, nil); err != nil {
		t.Fatal(err)
	}
	// A value with the kernel's newline, in a file that a container may not write.
	path := filepath.Join(root, "net/ipv4/ip_forward")
	if err := os.WriteFile(path, []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	if err := apply(root, false, nil); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); after.Size() != before.Size() {
		t.Error("the file was written although its value was right")
	}
}
