package change_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/change"
	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// read makes a config of what is below machine: in a document, whether it is valid or not.
func read(t *testing.T, machine string) types.MachineConfig {
	t.Helper()
	var c types.MachineConfig
	if _, err := strict.Decode("m", []byte("machine: "+machine), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBetween(t *testing.T) {
	const (
		key1 = "ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
		key2 = "ed25519:AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	)
	for name, tc := range map[string]struct {
		before, after string
		want          []change.Change // without machine. in the path
	}{
		"nothing":            {"{role: server}", "{role: server}", nil},
		"a default, written": {"{}", "{api: {port: 50000}, sysctls: {}, modules: []}", nil},
		"hostname":           {"{}", "{name: edge-2}", []change.Change{{"name", "", "edge-2", change.Kube}}},
		"role":               {"{role: server}", "{role: agent}", []change.Change{{"role", "server", "agent", change.Never}}},
		"no longer set":      {"{logs: {device: /dev/ttyS1}}", "{}", []change.Change{{"logs.device", "/dev/ttyS1", "", change.Now}}},
		"watchdog off":       {"{}", "{watchdog: {timeout: 0s}}", []change.Change{{"watchdog.timeout", "1m0s", "0s", change.Now}}},
		"bool":               {"{}", "{time: {disabled: true}}", []change.Change{{"time.disabled", "false", "true", change.Now}}},
		"number":             {"{}", "{api: {port: 1}}", []change.Change{{"api.port", "50000", "1", change.Kube}}},
		"list of text":       {"{modules: [a, b]}", "{modules: [b, 'true', '']}", []change.Change{{"modules", "[a, b]", `[b, "true", ""]`, change.Now}}},
		"map": {"{labels: {a: 1, b: 2, c: 3}}", "{labels: {b: 2, c: x, example.com/d: ''}}", []change.Change{
			{`labels["a"]`, `"1"`, "", change.Kube}, {`labels["c"]`, `"3"`, "x", change.Kube}, {`labels["example.com/d"]`, "", `""`, change.Kube},
		}},
		"entry of a list": {
			"{network: {interfaces: [{name: eth0}]}}", "{network: {interfaces: [{name: eth0, mtu: 1400, addresses: [192.0.2.7/24]}, {mac: 52:54:00:12:34:56, dhcp: false}]}}",
			[]change.Change{
				{"network.interfaces[0].addresses", "", "[192.0.2.7/24]", change.Now},
				{"network.interfaces[0].mtu", "0", "1400", change.Now},
				{"network.interfaces[1]", "", "{mac: '52:54:00:12:34:56', dhcp: false}", change.Now},
			},
		},
		"entry that is gone": {
			"{api: {keys: [{name: a, role: admin, key: '" + key1 + "'}]}}", "{}",
			[]change.Change{{"api.keys[0]", "{name: a, role: admin, key: 'ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='}", "", change.Now}},
		},
		"key": {
			"{api: {keys: [{key: '" + key1 + "'}]}}", "{api: {keys: [{key: '" + key2 + "'}]}}",
			[]change.Change{{"api.keys[0].key", key1, key2, change.Now}},
		},
		"secret": {
			"{network: {proxy: {http: 'http://me:old@p'}}}", "{network: {proxy: {http: 'http://me:new@p', https: 'http://me:new@p'}}}",
			[]change.Change{{"network.proxy.http", "REDACTED", "REDACTED (changed)", change.Kube}, {"network.proxy.https", "", "REDACTED", change.Kube}},
		},
		"secret in an entry": {
			"{}", "{registries: {hosts: {r.example.com: {username: edge, password: hunter2}}}}",
			[]change.Change{{`registries.hosts["r.example.com"]`, "", "{username: edge, password: REDACTED}", change.Kube}},
		},
		"user in a URL": {
			"{logs: {device: 'http://me:old@p'}}", "{logs: {device: 'http://me:new@p'}}",
			[]change.Change{{"logs.device", "http://REDACTED@p", "http://REDACTED@p (changed)", change.Now}},
		},
		"many lines": {"{}", `{logs: {device: "a\nb: 'c'\t"}}`, []change.Change{{"logs.device", "", `"a\nb: 'c'\t"`, change.Now}}},
		"long": {
			"{}", "{logs: {device: " + strings.Repeat("x", 5000) + "}}",
			[]change.Change{{"logs.device", "", strings.Repeat("x", 256) + "… (5000 bytes)", change.Now}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := change.Between(read(t, tc.before), read(t, tc.after))
			for i := range tc.want {
				tc.want[i].Path = "machine." + tc.want[i].Path
			}
			if !reflect.DeepEqual(got, tc.want) && len(got)+len(tc.want) > 0 {
				t.Errorf("got:\n%swant:\n%s", list(got), list(tc.want))
			}
		})
	}
}

func list(changes []change.Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "  %+v\n", c)
	}
	return b.String()
}

// TestAppliesTags finds a misspelt tag, which would be taken for reboot.
func TestAppliesTags(t *testing.T) {
	strict.Walk(reflect.TypeFor[types.MachineConfig](), func(path string, f strict.Field) {
		if f.Applies != "" && string(change.NeedOf(f.Applies)) != f.Applies {
			t.Errorf("%s: applies %q is none of now, kube, reboot, never", path, f.Applies)
		}
	})
}
