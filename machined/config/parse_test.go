package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

const smallest = "apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine: {role: server}\n"

func TestSmallest(t *testing.T) {
	c, err := Parse("machine.yaml", []byte(smallest))
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]bool{
		"port":      c.Machine.API.Port == 50000,
		"pods":      c.Cluster.PodCIDR.String() == "10.42.0.0/16",
		"services":  c.Cluster.ServiceCIDR.String() == "10.43.0.0/16",
		"ephemeral": reflect.DeepEqual(c.Cluster.Datastore.Ephemeral, []string{"leases", "events"}),
		"coredns":   c.Cluster.Addons.CoreDNS.Enabled,
		"vxlan":     c.Cluster.Flannel.Backend == "vxlan",
		"time":      len(c.Machine.Time.Servers) > 1 && !c.Machine.Time.Disabled,
	} {
		if !got {
			t.Errorf("default of %s: %+v", name, c)
		}
	}
}

// Every key of a public key's text is one of these two.
const (
	key1 = "ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	key2 = "ed25519:AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

func TestValidate(t *testing.T) {
	machine := func(s string) string {
		return "apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine:\n  role: server\n" + s
	}
	for name, tc := range map[string]struct{ in, want string }{
		"no header":                 {"machine: {role: server}", "m: apiVersion: is missing; write apiVersion: coracle/v1alpha1\nm: kind: is missing; write kind: MachineConfig"},
		"other version":             {strings.Replace(smallest, "v1alpha1", "v1", 1), `m:1: apiVersion: is "coracle/v1", should be coracle/v1alpha1`},
		"no role":                   {"apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine: {}", "m:3: machine.role: is missing; write role: server or agent"},
		"unknown role is said once": {strings.Replace(smallest, "role: server", "role: worker", 1), `m:3: machine.role: is "worker", should be server or agent`},
		"name":                      {machine("  name: My_Pi"), `m:5: machine.name: "My_Pi" is not a machine name: lower-case letters, digits, - and ., at most 63, first and last a letter or digit`},
		"misspelt":                  {machine("  network: {interfaces: [{name: eth0, dchp: true}]}"), `m:5: machine.network.interfaces[0].dchp: unknown field; did you mean "dhcp"?`},
		"no match":                  {machine("  network: {interfaces: [{dhcp: true}]}"), "m:5: machine.network.interfaces[0]: says no interface; set name, mac or driver"},
		"same interface":            {machine("  network:\n    interfaces:\n    - {name: eth0}\n    - {name: eth0}"), "m:8: machine.network.interfaces[1]: matches the same interfaces as machine.network.interfaces[0]; put both into one"},
		"mac":                       {machine("  network: {interfaces: [{mac: 52:54}]}"), `m:5: machine.network.interfaces[0].mac: "52:54" is not a MAC address such as 52:54:00:12:34:56`},
		"network address":           {machine("  network: {interfaces: [{name: e, addresses: [192.0.2.0/24]}]}"), "m:5: machine.network.interfaces[0].addresses[0]: 192.0.2.0/24 is the network's own address; write the machine's, such as 192.0.2.1/24"},
		"broadcast":                 {machine("  network: {interfaces: [{name: e, addresses: [192.0.2.255/24]}]}"), "m:5: machine.network.interfaces[0].addresses[0]: 192.0.2.255/24 is the network's broadcast address"},
		"address twice":             {machine("  network: {interfaces: [{name: e, addresses: [192.0.2.1/24]}, {name: f, addresses: [192.0.2.1/25]}]}"), "m:5: machine.network.interfaces[1].addresses[0]: 192.0.2.1 is at machine.network.interfaces[0].addresses[0] already"},
		"address in pods":           {machine("  network: {interfaces: [{name: e, addresses: [10.42.7.1/24]}]}"), "m:5: machine.network.interfaces[0].addresses[0]: 10.42.7.1/24 overlaps cluster.podCIDR 10.42.0.0/16"},
		"bad address said once":     {machine("  network: {interfaces: [{name: e, addresses: [10.0.0.300/24]}]}"), `m:5: machine.network.interfaces[0].addresses[0]: "10.0.0.300/24" is not an address with a prefix length such as 192.0.2.7/24`},
		"route":                     {machine("  network: {interfaces: [{name: e, routes: [{to: 10.1.2.3/8, via: 10.0.0.1}]}]}"), "m:5: machine.network.interfaces[0].routes[0].to: 10.1.2.3/8 has bits set after its prefix length; write 10.0.0.0/8"},
		"route without to":          {machine("  network: {interfaces: [{name: e, routes: [{via: 10.0.0.1}]}]}"), "m:5: machine.network.interfaces[0].routes[0].to: is missing; the default route is 0.0.0.0/0"},
		"route of two families":     {machine("  network: {interfaces: [{name: e, routes: [{to: '::/0', via: 10.0.0.1}]}]}"), "m:5: machine.network.interfaces[0].routes[0].via: 10.0.0.1 cannot be the gateway to ::/0: one is IPv4, the other IPv6"},
		"route twice":               {machine("  network: {interfaces: [{name: e, routes: [{to: 0.0.0.0/0, via: 10.0.0.1}]}, {name: f, routes: [{to: 0.0.0.0/0, via: 10.1.0.1}]}]}"), "m:5: machine.network.interfaces[1].routes[0]: goes to 0.0.0.0/0 with the metric of machine.network.interfaces[0].routes[0]; give one of them another metric"},
		"IPv6 route twice":          {machine("  network: {interfaces: [{name: e, routes: [{to: '::/0', via: 'fe80::1'}, {to: '::/0', via: 'fe80::2', metric: 1024}]}]}"), "m:5: machine.network.interfaces[0].routes[1]: goes to ::/0 with the metric of machine.network.interfaces[0].routes[0]; give one of them another metric"},
		"gateway with a zone":       {machine("  network: {interfaces: [{name: e, routes: [{to: '::/0', via: 'fe80::1%e'}]}]}"), "m:5: machine.network.interfaces[0].routes[0].via: write fe80::1, without %e: the route is one of this interface"},
		"mtu":                       {machine("  network: {interfaces: [{name: e, mtu: 9}]}"), "m:5: machine.network.interfaces[0].mtu: 9 is not between 68 and 65535"},
		"time server":               {machine("  time: {servers: ['pool ntp']}"), `m:5: machine.time.servers[0]: "pool ntp" is not a time server such as pool.ntp.org or 192.0.2.1:123`},
		"no time server":            {machine("  time: {servers: []}"), "m:5: machine.time.servers: is empty; to leave the clock alone write disabled: true"},
		"port of kubernetes":        {machine("  api: {port: 6443}"), "m:5: machine.api.port: 6443 belongs to kube-apiserver"},
		"key without anything":      {machine("  api: {keys: [{}]}"), "m:5: machine.api.keys[0].name: is missing; write whose key it is\nm:5: machine.api.keys[0].role: is missing; write admin, operator or reader\nm:5: machine.api.keys[0].key: is missing; write ed25519: and the public key in base64"},
		"bad key said once":         {machine("  api: {keys: [{name: a, role: admin, key: ssh-ed25519 AAAA}]}"), `m:5: machine.api.keys[0].key: a public key starts with "ed25519:"`},
		"key twice":                 {machine("  api:\n    keys:\n    - {name: a, role: admin, key: '" + key1 + "'}\n    - {name: a, role: admin, key: '" + key1 + "'}"), "m:8: machine.api.keys[1].name: \"a\" is the name of machine.api.keys[0] too\nm:8: machine.api.keys[1].key: is the key of machine.api.keys[0] too"},
		"sysctl":                    {machine("  sysctls: {../../etc/x: 1}"), `m:5: machine.sysctls["../../etc/x"]: "../../etc/x" is not a sysctl such as net.ipv4.ip_forward`},
		"sysctl for all":            {machine("  sysctls: {net.ipv4.conf.*.rp_filter: 1}"), `m:5: machine.sysctls["net.ipv4.conf.*.rp_filter"]: "net.ipv4.conf.*.rp_filter" is not a sysctl such as net.ipv4.ip_forward`},
		"module":                    {machine("  modules: [wireguard, wireguard, a.ko]"), "m:5: machine.modules[1]: wireguard is in the list already\nm:5: machine.modules[2]: \"a.ko\" is not a kernel module's name such as wireguard (without .ko)"},
		"watchdog":                  {machine("  watchdog: {timeout: 1s}"), "m:5: machine.watchdog.timeout: 1s is not between 10s and 1h; 0s turns the watchdog off"},
		"safe mode":                 {machine("  safeMode: {after: 1}"), "m:5: machine.safeMode.after: 1 is not between 2 and 10; 0 turns safe mode off"},
		"upgrade": {
			machine("  upgrade: {deadline: 1m, confirm: 2m, drain: 31m, source: 'ftp://x', window: {days: [sunday], start: noon, duration: 1m}, keys: [{}]}"),
			"m:5: machine.upgrade.deadline: 1m0s is not between 2m0s and 1h0m0s\nm:5: machine.upgrade.confirm: 2m0s is not less than machine.upgrade.deadline (1m0s)\nm:5: machine.upgrade.drain: 31m0s is not between 0s and 30m0s\n" +
				"m:5: machine.upgrade.source: \"ftp://x\" is not an address such as https://releases.example.com/coracle-latest-amd64.slot or oci://registry.example.com/coracle:stable\n" +
				"m:5: machine.upgrade.window.duration: 1m0s is not between 10m0s and 24h0m0s\nm:5: machine.upgrade.window.days[0]: \"sunday\" is not one of sun, mon, tue, wed, thu, fri, sat\n" +
				"m:5: machine.upgrade.window.start: \"noon\" is not hours and minutes such as 02:00\nm:5: machine.upgrade.keys[0].name: is missing; write whose key it is\n" +
				"m:5: machine.upgrade.keys[0].key: is missing; write ed25519: and the public key in base64",
		},
		"duration":           {machine("  watchdog: {timeout: 60}"), `m:5: machine.watchdog.timeout: "60" is not a duration such as 30s or 5m`},
		"log device":         {machine("  logs: {device: /dev/tty1}"), "m:5: machine.logs.device: /dev/tty1 is in use by the status screen or the kernel; take a serial line such as /dev/ttyS1"},
		"reserved label":     {machine("  labels: {kubernetes.io/hostname: x}"), `m:5: machine.labels["kubernetes.io/hostname"]: a node may not give itself labels of kubernetes.io and k8s.io; take a domain of your own, or node.kubernetes.io/…`},
		"taint":              {machine("  taints: ['a=b:NoShedule']"), `m:5: machine.taints[0]: "NoShedule" is not the effect of a taint; did you mean NoSchedule?`},
		"overlap":            {smallest + "cluster: {serviceCIDR: 10.42.128.0/20}", "m:4: cluster.serviceCIDR: podCIDR 10.42.0.0/16 and serviceCIDR 10.42.128.0/20 overlap"},
		"pod CIDR too small": {smallest + "cluster: {podCIDR: 10.1.0.0/26}", "m:4: cluster.podCIDR: /26 is not between /8 and /24: every node takes a /24 of it"},
		"IPv6 pods":          {smallest + "cluster: {podCIDR: 'fd00::/48'}", "m:4: cluster.podCIDR: fd00::/48 is IPv6; write an IPv4 network before it: clusters of IPv6 alone come with a later version"},
		"loopback services":  {smallest + "cluster: {serviceCIDR: 127.16.0.0/16}", "m:4: cluster.serviceCIDR: 127.16.0.0/16 overlaps 127.0.0.0/8 (loopback)"},
		"domain":             {smallest + "cluster: {domain: Cluster.local}", `m:4: cluster.domain: "Cluster.local" is not a domain such as cluster.local`},
		"SAN":                {smallest + "cluster: {apiServer: {extraSANs: ['https://x']}}", `m:4: cluster.apiServer.extraSANs[0]: "https://x" is not a host name or an IP address`},
		"endpoint":           {smallest + "cluster: {endpoint: 'https://kube.example.com'}", `m:4: cluster.endpoint: "https://kube.example.com" is not a host name or an address, with a port if it is not 6443, such as kube.example.com:6443`},
		"datastore":          {smallest + "cluster: {datastore: {kind: etcd}}", `m:4: cluster.datastore.kind: is "etcd", should be sqlite`},
		"under-indented":     {machine(" name: x"), "m:5: not valid YAML: did not find expected key, here or in the block that starts here"},
		"not a group":        {"- x", "m:1: is a list, should be fields with values (name: value)"},
		"binary":             {"\x00\x01", "m: not valid YAML: control characters are not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("m", []byte(tc.in))
			if err == nil || err.Error() != tc.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, tc.want)
			}
		})
	}
}

// TestRequiredFieldsAreRequired leaves each field out that is tagged so.
func TestRequiredFieldsAreRequired(t *testing.T) {
	strict.Walk(reflect.TypeFor[types.MachineConfig](), func(path string, f strict.Field) {
		if !f.Required {
			return
		}
		steps := strings.Split(path, ".")
		text, closing := "", ""
		for _, step := range steps[:len(steps)-1] {
			name, list := strings.CutSuffix(step, "[]")
			name, inMap := strings.CutSuffix(name, "[key]")
			switch {
			case list:
				text, closing = text+"{"+name+": [", "]}"+closing
			case inMap:
				text, closing = text+"{"+name+": {x: ", "}}"+closing
			default:
				text, closing = text+"{"+name+": ", "}"+closing
			}
		}
		_, err := Parse("m", []byte(text+"{}"+closing))
		at := strings.NewReplacer("[]", "[0]", "[key]", `["x"]`).Replace(path)
		if problems, _ := errors.AsType[strict.Problems](err); !slices.ContainsFunc(problems, func(p strict.Problem) bool { return strings.HasPrefix(p.Path, at) }) {
			t.Errorf("%s is accepted without it; %v", path, err)
		}
	})
}

func TestFromWindows(t *testing.T) {
	for name, text := range map[string]string{
		"byte order mark": "\ufeff" + smallest,
		"line ends":       strings.ReplaceAll(smallest, "\n", "\r\n"),
		"both":            "\ufeff" + strings.ReplaceAll("# a comment\n"+smallest, "\n", "\r\n"),
	} {
		if c, err := Parse("m", []byte(text)); err != nil || c.Machine.Role != types.Server {
			t.Errorf("%s: %v, role %q", name, err, c.Machine.Role)
		}
	}
	_, err := Parse("m", []byte("\ufeff"+strings.ReplaceAll(smallest+"clutser: {}\n", "\n", "\r\n")))
	if want := `m:4: clutser: unknown field; did you mean "cluster"?`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFirstProblems(t *testing.T) {
	var in strings.Builder
	in.WriteString(smallest + "cluster: {}\n")
	for i := range 60 {
		fmt.Fprintf(&in, "x%d: 1\n", i)
	}
	for name, text := range map[string]string{
		"of syntax": in.String(),
		"of checks": strings.Replace(smallest, "{role: server}", "{role: server, modules: ["+strings.Repeat("'!', ", 60)+"]}", 1),
	} {
		_, err := Parse("m", []byte(text))
		if lines := strings.Count(fmt.Sprint(err), "\n") + 1; lines < 50 || lines > 51 {
			t.Errorf("%s: %d lines", name, lines)
		}
	}
	_, err := Parse("m", []byte(strings.Replace(smallest, "{role: server}", "{role: server, modules: ["+strings.Repeat("'!', ", 60)+"]}", 1)))
	if !strings.HasSuffix(fmt.Sprint(err), "\nm: 10 more problems are not shown; correct these first") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(smallest))
	f.Add([]byte(smallest + "cluster: {podCIDR: 0.0.0.0/0, serviceCIDR: '::/0'}"))
	f.Add([]byte("apiVersion: coracle/v1alpha1\nkind: MachineConfig\nmachine:\n  role: server\n  network: {interfaces: [{name: e*, addresses: [1.2.3.4/0, '::1/128'], routes: [{to: ::/0}]}]}\n  taints: [':']\n  labels: {a/b/c: d}\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := Parse("m", in)
		if err == nil && (c.Machine.Role != types.Server || !c.Cluster.PodCIDR.IPv4().IsValid() || !c.Cluster.ServiceCIDR.IPv4().IsValid() || c.Cluster.PodCIDR.IPv4().Overlaps(c.Cluster.ServiceCIDR.IPv4())) {
			t.Errorf("accepted %+v", c)
		}
	})
}
