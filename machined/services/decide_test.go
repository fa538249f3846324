package services

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/types"
)

func TestSettings(t *testing.T) {
	c := config.Default()
	c.Machine.Role = "server"
	s := Settings(c, Node{Name: "pi", IP: netip.MustParseAddr("192.0.2.7"), MediaImages: "/run/coracle/media/images"})
	if s.ClusterDNS != "10.43.0.10" || s.NodeIPs[0] != "192.0.2.7" || s.PodCIDR != "10.42.0.0/16" || len(s.ImageDirs) != 2 || s.Role != "server" || s.APIPort != 6443 {
		t.Errorf("%+v", s)
	}
	if !reflect.DeepEqual(s.CoreDNS, control.CoreDNS{Enabled: true, Replicas: 1, CacheSeconds: 30}) {
		t.Errorf("CoreDNS %+v", s.CoreDNS)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"registries", "proxy", "extraArgs", "manifests", "fleet", "machineAPI", "token", "endpoint"} { // kube does nothing for what is not there
		if strings.Contains(string(text), field) {
			t.Errorf("%s is in the settings though the config has none: %s", field, text)
		}
	}
}

func TestSettingsOfKubernetes(t *testing.T) {
	c, err := config.Parse("m", []byte(`
apiVersion: coracle/v1alpha1
kind: MachineConfig
machine:
  role: server
  registries:
    mirrors: {docker.io: {endpoints: ["https://mirror.example"]}, "*": {endpoints: ["https://all.example/v2"], overridePath: true, fallback: false}}
    hosts: {mirror.example: {username: u, password: p}, other.example: {skipVerify: true}}
  network:
    proxy: {http: "http://proxy.example:3128", https: "http://proxy.example:3128", noProxy: [.lan]}
cluster:
  endpoint: kube.example.com
  podCIDR: 10.42.0.0/16,fd42::/56
  serviceCIDR: 10.43.0.0/16,fd43::/112
  apiServer: {extraArgs: {event-ttl: 2h}}
  kubelet: {extraArgs: {max-pods: 40}}
  manifests:
  - {name: a, url: "https://example.com/a.yaml", sha256: 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03}
  addons: {fleet: {enabled: true}, coredns: {replicas: 2, upstream: [192.0.2.1], cacheSeconds: 0, hosts: {a.example: [192.0.2.9]}, domains: {b.example: [192.0.2.53]}, serverBlocks: "c.example {\n errors\n}"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := Settings(c, Node{Name: "pi", IP: netip.MustParseAddr("192.0.2.7"), IPv6: netip.MustParseAddr("2001:db8::7"), Fingerprint: "SHA256:abc"})
	want := control.Settings{
		Role: "server", NodeName: "pi", NodeIPs: []string{"192.0.2.7", "2001:db8::7"}, Endpoint: "kube.example.com:6443", APIPort: 6443,
		PodCIDR: "10.42.0.0/16,fd42::/56", ServiceCIDR: "10.43.0.0/16,fd43::/112", ClusterDNS: "10.43.0.10", ClusterDomain: "cluster.local",
		Datastore: control.Datastore{Kind: "sqlite", Ephemeral: []string{"leases", "events"}}, Flannel: control.Flannel{Backend: "vxlan"},
		Devices: control.Devices{Enabled: true},
		Fleet:   control.Fleet{Enabled: true}, MachineAPI: control.MachineAPI{Port: 50000, Fingerprint: "SHA256:abc"},
		ImageDirs: []string{imageDir}, ShutdownSeconds: shutdownSeconds,
		CoreDNS: control.CoreDNS{
			Enabled: true, Replicas: 2, Upstream: []string{"192.0.2.1"}, Hosts: map[string][]string{"a.example": {"192.0.2.9"}},
			Domains: map[string][]string{"b.example": {"192.0.2.53"}}, ServerBlocks: "c.example {\n errors\n}",
		},
		Registries: control.Registries{
			Mirrors: map[string]control.Mirror{
				"docker.io": {Endpoints: []string{"https://mirror.example"}, Fallback: true},
				"*":         {Endpoints: []string{"https://all.example/v2"}, OverridePath: true},
			},
			Hosts: map[string]control.RegistryHost{"mirror.example": {Username: "u", Password: "p"}, "other.example": {SkipVerify: true}},
		},
		Proxy:     control.Proxy{HTTP: "http://proxy.example:3128", HTTPS: "http://proxy.example:3128", NoProxy: []string{".lan"}},
		ExtraArgs: control.ExtraArgs{"kube-apiserver": {"event-ttl": "2h"}, "kubelet": {"max-pods": "40"}},
		Manifests: []control.Manifest{{Name: "a", URL: "https://example.com/a.yaml", SHA256: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestSettingsOfAgent: an agent is told its own, and nothing of the cluster.
func TestSettingsOfAgent(t *testing.T) {
	c := config.Default()
	c.Machine.Role, c.Cluster.Endpoint, c.Cluster.Token = "agent", "kube.example.com", "coracle1.x"
	c.Machine.Labels = map[string]string{"a": "b"}
	got := Settings(c, Node{Name: "pi", IP: netip.MustParseAddr("192.0.2.8")})
	want := control.Settings{
		Role: control.Agent, NodeName: "pi", NodeIPs: []string{"192.0.2.8"}, Endpoint: "kube.example.com:6443", Token: "coracle1.x",
		NodeLabels: map[string]string{"a": "b"}, ImageDirs: []string{imageDir}, ShutdownSeconds: shutdownSeconds,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestIPv6(t *testing.T) {
	cluster := config.Default().Cluster
	dual := cluster
	dual.PodCIDR = append(dual.PodCIDR, netip.MustParsePrefix("fd42::/56"))
	dual.ServiceCIDR = append(dual.ServiceCIDR, netip.MustParsePrefix("fd43::/112"))
	v4, v6, other := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("2001:db8::8")
	on := func(name string, a netip.Addr) Address { return Address{name, a, true} }
	for name, tc := range map[string]struct {
		cluster   types.Cluster
		current   netip.Addr
		addresses []Address
		want      netip.Addr
	}{
		"one family":               {cluster, netip.Addr{}, []Address{on("eth0", v4), on("eth0", v6)}, netip.Addr{}},
		"both":                     {dual, netip.Addr{}, []Address{on("eth0", v4), on("eth0", netip.MustParseAddr("fe80::1")), on("eth0", v6)}, v6},
		"of the same interface":    {dual, netip.Addr{}, []Address{on("eth1", other), on("eth0", v4), on("eth0", v6)}, v6},
		"none there":               {dual, netip.Addr{}, []Address{on("eth1", other), on("eth0", v4)}, netip.Addr{}},
		"a pod's bridge":           {dual, netip.Addr{}, []Address{on("eth0", v4), on("eth0", netip.MustParseAddr("fd42::1"))}, netip.Addr{}},
		"stays with what it has":   {dual, other, []Address{on("eth0", v4), on("eth0", v6), on("eth0", other)}, other},
		"what it had is gone":      {dual, other, []Address{on("eth0", v4), on("eth0", v6)}, v6},
		"kept while there is none": {dual, other, []Address{on("eth0", v4)}, other},
	} {
		t.Run(name, func(t *testing.T) {
			n := NodeIP{Cluster: tc.cluster, Current: v4, CurrentIPv6: tc.current}
			started := time.Unix(1000, 0)
			if got, until := n.IPv6(tc.addresses, started.Add(addressGrace), started); got != tc.want || !until.IsZero() {
				t.Errorf("got %s until %s, want %s", got, until, tc.want)
			}
			wait := name == "none there" || name == "a pod's bridge"
			if got, until := n.IPv6(tc.addresses, started.Add(time.Second), started); got != tc.want || until.IsZero() == wait {
				t.Errorf("at the start: %s until %s, want %s", got, until, tc.want)
			}
		})
	}
}

func TestNodeIP(t *testing.T) {
	cluster := config.Default().Cluster
	addr := func(name, ip string, def bool) Address { return Address{name, netip.MustParseAddr(ip), def} }
	start := time.Unix(1000, 0)
	type step struct {
		after     time.Duration
		addresses []Address
		want      string // empty: wait
	}
	for name, steps := range map[string][]step{
		"an address":             {{0, []Address{addr("eth0", "192.0.2.7", true)}, "192.0.2.7"}},
		"the default route's":    {{0, []Address{addr("eth0", "192.0.2.7", false), addr("eth1", "198.51.100.1", true)}, "198.51.100.1"}},
		"none, then own":         {{0, nil, ""}, {9 * time.Second, nil, ""}, {10 * time.Second, nil, "10.254.254.1"}},
		"own, then a real one":   {{11 * time.Second, nil, "10.254.254.1"}, {20 * time.Second, []Address{addr("eth0", "192.0.2.7", true)}, "192.0.2.7"}},
		"own is not a real one":  {{11 * time.Second, nil, "10.254.254.1"}, {12 * time.Second, []Address{addr(DummyInterface, "10.254.254.1", false)}, "10.254.254.1"}},
		"no default route yet":   {{0, []Address{addr("eth0", "192.0.2.7", false)}, ""}, {2 * time.Second, []Address{addr("eth0", "192.0.2.7", false), addr("eth1", "198.51.100.1", true)}, "198.51.100.1"}},
		"no default route":       {{9 * time.Second, []Address{addr("eth0", "192.0.2.7", false)}, ""}, {10 * time.Second, []Address{addr("eth0", "192.0.2.7", false)}, "192.0.2.7"}},
		"own, then one without":  {{11 * time.Second, nil, "10.254.254.1"}, {20 * time.Second, []Address{addr("eth0", "192.0.2.7", false)}, "192.0.2.7"}},
		"another is left":        {{0, []Address{addr("eth0", "192.0.2.7", true), addr("eth1", "198.51.100.1", false)}, "192.0.2.7"}, {20 * time.Second, []Address{addr("eth1", "198.51.100.1", false)}, "192.0.2.7"}, {79 * time.Second, []Address{addr("eth1", "198.51.100.1", false)}, "192.0.2.7"}, {80 * time.Second, []Address{addr("eth1", "198.51.100.1", false)}, "198.51.100.1"}},
		"stays with what it has": {{0, []Address{addr("eth0", "192.0.2.7", true)}, "192.0.2.7"}, {1, []Address{addr("eth1", "198.51.100.1", true), addr("eth0", "192.0.2.7", false)}, "192.0.2.7"}},
		"DHCP gave another":      {{0, []Address{addr("eth0", "192.0.2.7", true)}, "192.0.2.7"}, {1, []Address{addr("eth0", "192.0.2.8", true)}, "192.0.2.8"}},
		"lost, and back":         {{0, []Address{addr("eth0", "192.0.2.7", true)}, "192.0.2.7"}, {time.Second, nil, "192.0.2.7"}, {59 * time.Second, []Address{addr("eth0", "192.0.2.7", true)}, "192.0.2.7"}, {70 * time.Second, nil, "192.0.2.7"}},
		"lost for good":          {{0, []Address{addr("eth0", "192.0.2.7", true)}, "192.0.2.7"}, {time.Second, nil, "192.0.2.7"}, {61 * time.Second, nil, "10.254.254.1"}},
		"not usable":             {{0, []Address{addr("lo", "127.0.0.1", false), addr("eth0", "169.254.1.1", false), addr("eth0", "2001:db8::1", true), addr("cni0", "192.0.2.1", false), addr("eth0", "10.42.0.1", false)}, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			n := NodeIP{Cluster: cluster}
			for i, s := range steps {
				ip, until := n.Choose(s.addresses, start.Add(s.after), start)
				if s.want == "" {
					if ip.IsValid() || !until.After(start.Add(s.after)) {
						t.Errorf("step %d: %v until %v, want to wait", i, ip, until)
					}
				} else if ip.String() != s.want {
					t.Errorf("step %d: %v, want %s", i, ip, s.want)
				}
			}
		})
	}
}

func TestOwnAddressAvoidsTheCluster(t *testing.T) {
	c := config.Default().Cluster
	c.PodCIDR, c.ServiceCIDR = types.Networks{netip.MustParsePrefix("10.0.0.0/8")}, types.Networks{netip.MustParsePrefix("172.16.0.0/12")}
	if a := OwnAddress(c); a.String() != "192.168.254.1" {
		t.Errorf("%v", a)
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	var got []string
	for _, ran := range []time.Duration{0, 0, 0, 0, 0, 0, 0, 0, stableAfter, 0} {
		got = append(got, b.pause(ran).String())
	}
	if s := strings.Join(got, " "); s != "1s 2s 4s 8s 16s 32s 1m0s 1m0s 1s 2s" {
		t.Error(s)
	}
}

func TestDescribeExit(t *testing.T) {
	exited := func(code int) *syscall.WaitStatus { s := syscall.WaitStatus(code << 8); return &s }
	signaled := func(sig syscall.Signal) *syscall.WaitStatus { s := syscall.WaitStatus(sig); return &s }
	for name, tc := range map[string]struct {
		status *syscall.WaitStatus
		output string
		oom    bool
		want   string
	}{
		"last line":        {exited(1), "I0101 a\nkube-apiserver: listen: address in use\n", false, "exit code 1: kube-apiserver: listen: address in use"},
		"no output":        {exited(1), "", false, "exit code 1"},
		"panic":            {exited(2), "x\npanic: runtime error: index out of range\n\ngoroutine 1 [running]:\nmain.main()\nexit status 2\n", false, "exit code 2: panic: runtime error: index out of range"},
		"settings":         {exited(2), "podCIDR is empty\n", false, "refused its settings: podCIDR is empty"},
		"killed":           {signaled(9), "last words", false, "killed by signal 9 (killed): last words"},
		"out of memory":    {signaled(9), "", true, "killed by the kernel: out of memory"},
		"somebody's child": {nil, "bye\n", false, "ended: bye"},
		"not UTF-8":        {exited(1), "a\xffb", false, "exit code 1: a?b"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := describeExit(tc.status, []byte(tc.output), tc.oom); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
