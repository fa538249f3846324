package host

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSetSysctls(t *testing.T) {
	root := t.TempDir()
	for _, f := range []string{"vm/overcommit_memory", "kernel/panic", "net/ipv4/conf/eth0.5/forwarding", "net/ipv4/ip_forward"} {
		os.MkdirAll(filepath.Dir(filepath.Join(root, f)), 0o755)
		os.WriteFile(filepath.Join(root, f), nil, 0o644)
	}
	os.RemoveAll(filepath.Join(root, "fs"))
	err := SetSysctls(root, map[string]string{"kernel/panic": "3", "net/ipv4/conf/eth0.5/forwarding": "1", "net.ipv4.ip_forward": "1", "no.such": "1"})
	if err == nil || !strings.HasPrefix(err.Error(), "sysctl no.such=1: no such file") || strings.Contains(err.Error(), "inotify") {
		t.Errorf("error %v", err)
	}
	for f, want := range map[string]string{"vm/overcommit_memory": "1", "kernel/panic": "3", "net/ipv4/conf/eth0.5/forwarding": "1", "net/ipv4/ip_forward": "1"} {
		if got, _ := os.ReadFile(filepath.Join(root, f)); strings.TrimSpace(string(got)) != want {
			t.Errorf("%s = %q, want %s", f, got, want)
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
