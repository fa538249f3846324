package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

const goodToken = "coracle1.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.abc123.0123456789abcdef"

func TestValidateAgent(t *testing.T) {
	agent := strings.Replace(smallest, "role: server", "role: agent", 1)
	for name, tc := range map[string]struct{ in, want string }{
		"smallest":          {agent + "cluster: {endpoint: kube.example.com, token: " + goodToken + "}\n", ""},
		"with its own":      {agent + "cluster: {endpoint: 192.0.2.1, token: " + goodToken + ", kubelet: {extraArgs: {max-pods: 40}}, kubeProxy: {extraArgs: {nodeport-addresses: 192.0.2.0/24}}}\n", ""},
		"nothing":           {agent, "m: cluster.endpoint: is missing; write where the Kubernetes API of the servers is reached, such as kube.example.com:6443\nm: cluster.token: is missing; write what coraclectl token create, on a server, has printed"},
		"half a token":      {agent + "cluster: {endpoint: a.example, token: coracle1.abc}\n", "m:4: cluster.token: a join token has 4 parts with dots between them, and this has 2: is it whole?"},
		"the cluster's":     {agent + "cluster: {endpoint: a.example, token: " + goodToken + ", podCIDR: 10.9.0.0/16, addons: {}}\n", "m:4: cluster.podCIDR: is the cluster's; set it on the server, and agents are told\nm:4: cluster.addons: is the cluster's; set it on the server, and agents are told"},
		"token of a server": {smallest + "cluster: {token: " + goodToken + "}\n", "m:4: cluster.token: is for agents; a server makes tokens (coraclectl token create)"},
		// The networks of the cluster are not known here, so the defaults of a server are no obstacle.
		"in the default pod network": {strings.Replace(agent, "{role: agent}", "{role: agent, network: {interfaces: [{name: eth0, addresses: [10.42.0.7/24]}]}}", 1) + "cluster: {endpoint: a.example, token: " + goodToken + "}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("m", []byte(tc.in))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tc.want)
			}
		})
	}
}

// TestTokenIsSecret: a join token is in no config that is shown.
func TestTokenIsSecret(t *testing.T) {
	shown := string(Redact([]byte(strings.Replace(smallest, "role: server", "role: agent", 1) + "cluster: {endpoint: a.example, token: " + goodToken + "}\n")))
	if strings.Contains(shown, "0123456789abcdef") || !strings.Contains(shown, strict.Redacted) {
		t.Errorf("shown:\n%s", shown)
	}
}

func TestFieldsOfMachineExist(t *testing.T) {
	known := map[string]bool{}
	for _, f := range strict.Fields(reflect.TypeFor[types.Cluster]()) {
		known[f.Name] = true
	}
	for name := range ofMachine {
		if !known[name] {
			t.Errorf("the section cluster has no field %s", name)
		}
	}
}
