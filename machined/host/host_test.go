package host

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSysctls(t *testing.T) {
	root := t.TempDir()
	for f, value := range map[string]string{"vm/overcommit_memory": "0", "vm/swappiness": "60", "kernel/panic": "0", "net/ipv4/conf/eth0.5/forwarding": "0", "net/ipv4/ip_forward": "0"} {
		os.MkdirAll(filepath.Dir(filepath.Join(root, f)), 0o755)
		os.WriteFile(filepath.Join(root, f), []byte(value+"\n"), 0o644)
	}
	saved := filepath.Join(t.TempDir(), "sysctls.json")
	for _, step := range []struct {
		name       string
		configured map[string]string
		err        string
		want       map[string]string
	}{
		{
			"a config", map[string]string{"kernel/panic": "3", "net/ipv4/conf/eth0.5/forwarding": "1", "net.ipv4.ip_forward": "1", "no.such": "1"},
			"sysctl no.such=1: no such file",
			map[string]string{"vm/overcommit_memory": "1", "kernel/panic": "3", "net/ipv4/conf/eth0.5/forwarding": "1", "net/ipv4/ip_forward": "1"},
		},
		{
			"another one", map[string]string{"vm.swappiness": "10", "net.ipv4.ip_forward": "2"}, "",
			map[string]string{"vm/swappiness": "10", "kernel/panic": "10", "net/ipv4/conf/eth0.5/forwarding": "0", "net/ipv4/ip_forward": "2"},
		},
		{
			"none", nil, "",
			map[string]string{"vm/overcommit_memory": "1", "vm/swappiness": "60", "kernel/panic": "10", "net/ipv4/ip_forward": "0"},
		},
	} {
		err := Sysctls{root, saved}.Set(step.configured)
		if (err == nil) != (step.err == "") || err != nil && (!strings.HasPrefix(err.Error(), step.err) || strings.Contains(err.Error(), "inotify")) {
			t.Errorf("%s: error %v", step.name, err)
		}
		for f, want := range step.want {
			if got, _ := os.ReadFile(filepath.Join(root, f)); strings.TrimSpace(string(got)) != want {
				t.Errorf("%s: %s = %q, want %s", step.name, f, got, want)
			}
		}
	}
}

func TestID(t *testing.T) {
	path := filepath.Join(t.TempDir(), "machine-id")
	first, err := ID(path)
	if err != nil || !idForm.MatchString(first) {
		t.Fatalf("%q, %v", first, err)
	}
	if second, err := ID(path); err != nil || second != first {
		t.Errorf("%q, %v; it was %q", second, err, first)
	}
	os.Remove(path)
	os.WriteFile(path, make([]byte, 33), 0o644) // what a power cut leaves on some file systems
	if third, err := ID(path); err != nil || !idForm.MatchString(third) {
		t.Errorf("%q, %v", third, err)
	}
	if got := Name("", "0123456789abcdef0123456789abcdef"); got != "coracle-012345" {
		t.Error(got)
	}
	if got := Name("pi", first); got != "pi" {
		t.Error(got)
	}
}

func TestGivenName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hostname")
	if got := GivenName(path); got != "" {
		t.Errorf("%q without a file", got)
	}
	for _, tc := range []struct {
		name string
		took bool
	}{{"edge-9", true}, {"edge-9", false}, {"edge-10.example.org", true}} {
		if took, err := TakeName(path, tc.name); took != tc.took || err != nil || GivenName(path) != tc.name {
			t.Errorf("%s: %v, %v; kept is %q", tc.name, took, err, GivenName(path))
		}
	}
	os.WriteFile(path, make([]byte, 7), 0o644) // what a power cut leaves on some file systems
	if got := GivenName(path); got != "" {
		t.Errorf("%q", got)
	}
}

func TestWriteHosts(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		ip   netip.Addr
		want string
	}{{netip.Addr{}, "127.0.1.1 pi.example pi\n"}, {netip.MustParseAddr("192.0.2.7"), "192.0.2.7 pi.example pi\n"}} {
		if err := WriteHosts(dir, "pi.example", tc.ip); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "hosts")); !strings.HasSuffix(string(got), tc.want) {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}

func TestParseMemory(t *testing.T) {
	total, available, err := parseMemory("MemTotal:         504012 kB\nMemFree: 1 kB\nMemAvailable:     250000 kB\n")
	if err != nil || total != 504012<<10 || available != 250000<<10 {
		t.Errorf("%d, %d, %v", total, available, err)
	}
	if _, _, err := parseMemory("nonsense"); err == nil {
		t.Error("no error")
	}
}

// A kernel of 32 bits refuses what one of 64 takes.
func TestPIDMax(t *testing.T) {
	for bits, want := range map[int]string{32: "32768", 64: "4194304"} {
		if got := pidMax(bits); got != want {
			t.Errorf("%d bits: %s, want %s", bits, got, want)
		}
	}
}
