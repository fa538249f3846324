package process

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/kube/control/controltest"
)

func TestParseSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(fields map[string]any)
		want   string // in the error; "": none
	}{
		"good": {func(map[string]any) {}, ""},
		"labels and taints": {func(f map[string]any) {
			f["nodeTaints"] = []string{"a=b:NoSchedule"}
			f["nodeLabels"] = map[string]string{"x/y": "z"}
		}, ""},
		"unknown field": {func(f map[string]any) { f["nodeNmae"] = "x" }, "nodeNmae"},
		"unknown role":  {func(f map[string]any) { f["role"] = "boss" }, `role: "boss" is not one of server, agent`},
		"bad name":      {func(f map[string]any) { f["nodeName"] = "Edge 1" }, "nodeName"},
		"endpoint":      {func(f map[string]any) { f["endpoint"] = "kube.example.com" }, "endpoint"},
		"agent": {func(f map[string]any) {
			for _, field := range []string{"podCIDR", "serviceCIDR", "clusterDNS", "clusterDomain", "apiPort"} {
				delete(f, field)
			}
			f["role"], f["endpoint"] = "agent", "kube.example.com:6443"
			f["token"] = "coracle1." + strings.Repeat("ab", 32) + ".abc123.0123456789abcdef"
		}, ""},
		"agent without a token": {func(f map[string]any) { f["role"], f["endpoint"] = "agent", "kube.example.com:6443" }, "token: a join token begins with"},
		"agent without servers": {func(f map[string]any) { f["role"] = "agent" }, "endpoint: an agent needs"},
		"no address":            {func(f map[string]any) { f["nodeIPs"] = []string{} }, "nodeIPs"},
		"bad address":           {func(f map[string]any) { f["nodeIPs"] = []string{"192.0.2"} }, "nodeIPs"},
		"port":                  {func(f map[string]any) { f["apiPort"] = 0 }, "apiPort"},
		"overlap":               {func(f map[string]any) { f["podCIDR"] = "10.0.0.0/8" }, "overlaps"},
		"dual stack": {func(f map[string]any) {
			f["podCIDR"], f["serviceCIDR"] = "10.42.0.0/16,fd42::/56", "10.43.0.0/16,fd43::/112"
		}, ""},
		"one dual stack":  {func(f map[string]any) { f["podCIDR"] = "10.42.0.0/16,fd42::/56" }, "families of podCIDR"},
		"two of a family": {func(f map[string]any) { f["podCIDR"] = "10.42.0.0/16,10.44.0.0/16" }, "one of each family"},
		"manifest name": {func(f map[string]any) {
			f["manifests"] = []map[string]string{{"name": "a"}, {"name": "a"}, {"name": "../b"}}
		}, `manifests[2].name: "../b"`},
		"extra argument": {func(f map[string]any) {
			f["extraArgs"] = map[string]map[string]string{"kubelet": {"max-pods": "many"}}
		}, "extraArgs of kubelet"},
		"DNS outside": {func(f map[string]any) { f["clusterDNS"] = "10.44.0.10" }, "clusterDNS"},
		"datastore":   {func(f map[string]any) { f["datastore"] = map[string]any{"kind": "floppy"} }, "datastore.kind"},
		"ephemeral": {func(f map[string]any) {
			f["datastore"] = map[string]any{"kind": "sqlite", "ephemeral": []string{"pods"}}
		}, "datastore.ephemeral"},
		"machine API":               {func(f map[string]any) { f["machineAPI"] = map[string]any{"port": 50000, "fingerprint": "SHA256:abc"} }, ""},
		"machine API without a key": {func(f map[string]any) { f["machineAPI"] = map[string]any{"port": 50000} }, "machineAPI"},
		"flannel":                   {func(f map[string]any) { f["flannel"] = map[string]any{"backend": "carrier-pigeon"} }, "flannel.backend"},
		"taint":                     {func(f map[string]any) { f["nodeTaints"] = []string{"a=b:Maybe"} }, "nodeTaints"},
		"label":                     {func(f map[string]any) { f["nodeLabels"] = map[string]string{"a b": "c"} }, "nodeLabels"},
		"two things at once":        {func(f map[string]any) { f["role"] = "x"; f["apiPort"] = -1 }, "apiPort"},
	} {
		t.Run(name, func(t *testing.T) {
			fields := map[string]any{}
			data, _ := json.Marshal(controltest.ServerSettings())
			if err := json.Unmarshal(data, &fields); err != nil {
				t.Fatal(err)
			}
			fields = maps.Clone(fields)
			tc.change(fields)
			data, _ = json.Marshal(fields)
			_, err := parseSettings(data)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func FuzzParseSettings(f *testing.F) {
	data, _ := json.Marshal(controltest.ServerSettings())
	f.Add(data)
	f.Add([]byte(`{}{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSettings(data)
		if err == nil && (s.NodeName == "" || len(s.NodeIPs) == 0) {
			t.Errorf("accepted %q", data)
		}
	})
}

func TestCollector(t *testing.T) {
	previous := Collector{}
	for _, mib := range []int64{256, 512, 1024, 2048, 8192} {
		c := CollectorFor(mib * Mebibyte)
		if c.limit < 100*Mebibyte || c.limit > mib*Mebibyte/2 {
			t.Errorf("%d MiB: limit %d MiB", mib, c.limit/Mebibyte)
		}
		if c.percent < previous.percent || c.starting < c.percent {
			t.Errorf("%d MiB: %+v after %+v", mib, c, previous)
		}
		previous = c
	}
}
