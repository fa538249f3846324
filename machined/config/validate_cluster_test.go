package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
)

// checkCases parses cluster: or machine: sections, written after the smallest config, and compares the problems.
func checkCases(t *testing.T, cases map[string]struct{ in, want string }) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := smallest + tc.in
			if strings.HasPrefix(tc.in, "  ") {
				in = strings.Replace(smallest, "machine: {role: server}\n", "machine:\n  role: server\n", 1) + tc.in
			}
			_, err := Parse("m", []byte(in))
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

func TestValidateNetworksOfCluster(t *testing.T) {
	checkCases(t, map[string]struct{ in, want string }{
		"dual stack":             {"cluster: {podCIDR: '10.42.0.0/16,fd42::/56', serviceCIDR: '10.43.0.0/16, fd43::/112'}", ""},
		"IPv6 pods only":         {"cluster: {podCIDR: '10.42.0.0/16,fd42::/56'}", "m:4: cluster.podCIDR: podCIDR has an IPv6 network and serviceCIDR has none; pods and Services have the same address families"},
		"IPv6 Services only":     {"cluster:\n  podCIDR: 10.42.0.0/16\n  serviceCIDR: '10.43.0.0/16,fd43::/112'", "m:5: cluster.podCIDR: serviceCIDR has an IPv6 network and podCIDR has none; pods and Services have the same address families"},
		"IPv6 first":             {"cluster: {podCIDR: 'fd42::/56,10.42.0.0/16', serviceCIDR: '10.43.0.0/16,fd43::/112'}", "m:4: cluster.podCIDR: write the IPv4 network first: 10.42.0.0/16,fd42::/56"},
		"IPv6 too large":         {"cluster: {podCIDR: '10.42.0.0/16,fd42::/40', serviceCIDR: '10.43.0.0/16,fd43::/112'}", "m:4: cluster.podCIDR: /40 is not between /48 and /64: every node takes a /64 of it, and Kubernetes counts no more than 65536"},
		"two of a family":        {"cluster: {podCIDR: '10.42.0.0/16,10.44.0.0/16'}", `m:4: cluster.podCIDR: "10.42.0.0/16,10.44.0.0/16" has two networks of one address family; the second may be one of the other`},
		"no network":             {"cluster: {podCIDR: 10.42.0.0}", `m:4: cluster.podCIDR: "10.42.0.0" is not a network such as 10.42.0.0/16, or two with a comma between them`},
		"IPv6 overlap":           {"cluster: {podCIDR: '10.42.0.0/16,fd42::/56', serviceCIDR: '10.43.0.0/16,fd42::/112'}", "m:4: cluster.serviceCIDR: podCIDR 10.42.0.0/16,fd42::/56 and serviceCIDR 10.43.0.0/16,fd42::/112 overlap"},
		"link-local Services":    {"cluster: {podCIDR: '10.42.0.0/16,fd42::/56', serviceCIDR: '10.43.0.0/16,fe80::/112'}", "m:4: cluster.serviceCIDR: fe80::/112 overlaps fe80::/10 (link-local)"},
		"address in IPv6 pods":   {"  network: {interfaces: [{name: e, addresses: ['fd42::1/64']}]}\ncluster: {podCIDR: '10.42.0.0/16,fd42::/56', serviceCIDR: '10.43.0.0/16,fd43::/112'}", "m:5: machine.network.interfaces[0].addresses[0]: fd42::1/64 overlaps cluster.podCIDR fd42::/56"},
		"ephemeral thing, twice": {"cluster: {datastore: {ephemeral: [leases, leases]}}", "m:4: cluster.datastore.ephemeral[1]: leases is in the list already"},
	})
}

func TestValidateExtraArgs(t *testing.T) {
	checkCases(t, map[string]struct{ in, want string }{
		"good":            {"cluster:\n  apiServer: {extraArgs: {event-ttl: 2h}}\n  controllerManager: {extraArgs: {node-monitor-grace-period: 60s}}\n  scheduler: {extraArgs: {kube-api-qps: 100}}\n  kubelet: {extraArgs: {max-pods: 40}}\n  kubeProxy: {extraArgs: {nodeport-addresses: 192.0.2.0/24}}", ""},
		"misspelt":        {"cluster: {kubelet: {extraArgs: {max-podz: 40}}}", `m:4: cluster.kubelet.extraArgs["max-podz"]: kubelet has no flag --max-podz; did you mean "max-pods"?`},
		"of another":      {"cluster: {scheduler: {extraArgs: {service-node-port-range: 1-2}}}", `m:4: cluster.scheduler.extraArgs["service-node-port-range"]: kube-scheduler has no flag --service-node-port-range`},
		"dashes":          {"cluster: {kubelet: {extraArgs: {--max-pods: 40}}}", `m:4: cluster.kubelet.extraArgs["--max-pods"]: write it without dashes: max-pods`},
		"owned":           {"cluster: {apiServer: {extraArgs: {etcd-servers: x}}}", `m:4: cluster.apiServer.extraArgs["etcd-servers"]: --etcd-servers is set by Coracle: see cluster.datastore`},
		"feature gates":   {"cluster: {kubelet: {extraArgs: {feature-gates: X=true}}}", `m:4: cluster.kubelet.extraArgs["feature-gates"]: --feature-gates is for the whole process: set it in cluster.apiServer.extraArgs`},
		"two lines":       {"cluster: {kubelet: {extraArgs: {max-pods: \"4\\n0\"}}}", `m:4: cluster.kubelet.extraArgs["max-pods"]: the value has control characters in it`},
		"no value":        {"cluster: {kubelet: {extraArgs: {max-pods: }}}", `m:4: cluster.kubelet.extraArgs["max-pods"]: has no value`},
		"all at once":     {"cluster:\n  kubeProxy: {extraArgs: {proxy-mode: ipvs}}\n  kubelet: {extraArgs: {root-dir: /}}", "m:5: cluster.kubeProxy.extraArgs[\"proxy-mode\"]: --proxy-mode is set by Coracle: the mode is nftables\nm:6: cluster.kubelet.extraArgs[\"root-dir\"]: --root-dir is set by Coracle, which knows the machine"},
		"wrong component": {"cluster: {kubeApiServer: {}}", `m:4: cluster.kubeApiServer: unknown field; did you mean "apiServer"?`},
	})
}

func TestValidateCoreDNS(t *testing.T) {
	dns := func(s string) string { return "cluster: {addons: {coredns: {" + s + "}}}" }
	const at = "m:4: cluster.addons.coredns."
	checkCases(t, map[string]struct{ in, want string }{
		"good":                {dns("replicas: 2, upstream: [192.0.2.1, '192.0.2.2:5353', '2001:db8::1', '[2001:db8::2]:53'], cacheSeconds: 0, hosts: {a.example: [192.0.2.9]}, domains: {plant.example: [192.0.2.53]}, serverBlocks: \"lab.example {\\n errors\\n}\""), ""},
		"replicas":            {dns("replicas: 0"), at + "replicas: 0 is not between 1 and 10"},
		"cache":               {dns("cacheSeconds: 86400"), at + "cacheSeconds: 86400 is not between 0 and 3600"},
		"upstream host":       {dns("upstream: [dns.example]"), at + `upstream[0]: "dns.example" is not a name server's address such as 192.0.2.1 or 192.0.2.1:5353`},
		"upstream loopback":   {dns("upstream: [127.0.0.53]"), at + "upstream[0]: 127.0.0.53 is no address that a pod could reach"},
		"upstream itself":     {dns("upstream: ['10.43.0.10:53']"), at + "upstream[0]: 10.43.0.10 is the cluster's own DNS, which would ask itself"},
		"upstream twice":      {dns("upstream: [192.0.2.1, 192.0.2.1]"), at + "upstream[1]: 192.0.2.1 is in the list already"},
		"host":                {dns("hosts: {'a b': [192.0.2.9]}"), at + `hosts["a b"]: "a b" is not a name such as printer.plant.example, in lower-case letters`},
		"host without":        {dns("hosts: {a.example: []}"), at + `hosts["a.example"]: has no address`},
		"host address":        {dns("hosts: {a.example: [192.0.2.300]}"), at + `hosts["a.example"][0]: "192.0.2.300" is not an IP address such as 192.0.2.7 or 2001:db8::7`},
		"domain of cluster":   {dns("domains: {x.cluster.local: [192.0.2.53]}"), at + `domains["x.cluster.local"]: x.cluster.local belongs to the cluster itself (cluster.domain)`},
		"domain without":      {dns("domains: {plant.example: []}"), at + `domains["plant.example"]: has no name server`},
		"block for all":       {dns("serverBlocks: \". {\\n errors\\n}\""), at + "serverBlocks: a block for everything (.) is there already; see upstream, hosts and cacheSeconds"},
		"block and domain":    {dns("domains: {plant.example: [192.0.2.53]}, serverBlocks: \"plant.example {\\n errors\\n}\""), at + "serverBlocks: plant.example is in domains too"},
		"block of cluster":    {dns("serverBlocks: \"cluster.local {\\n errors\\n}\""), at + "serverBlocks: cluster.local belongs to the cluster itself (cluster.domain)"},
		"block twice":         {dns("serverBlocks: \"a.example a.example:53 {\\n errors\\n}\""), at + "serverBlocks: a.example has two blocks"},
		"block that is wrong": {dns("serverBlocks: \"a.example {\\n forwrd\\n}\""), at + `serverBlocks: line 2: there is no plugin "forwrd" in the image; did you mean "forward"?`},
	})
}

func TestValidateManifests(t *testing.T) {
	list := func(s string) string { return "cluster: {manifests: [" + s + "]}" }
	const at = "m:4: cluster.manifests[0]"
	object := "{apiVersion: v1, kind: Namespace, metadata: {name: a}}"
	digest := strings.Repeat("5a", 32)
	checkCases(t, map[string]struct{ in, want string }{
		"good":             {list("{name: a, content: '" + object + "'}, {name: b, url: 'https://example.com/b.yaml'}, {name: c, url: 'http://example.com/c.yaml', sha256: " + digest + "}"), ""},
		"several objects":  {"cluster:\n  manifests:\n  - name: a\n    content: |\n      # comment\n      ---\n      " + object + "\n      ---\n      apiVersion: v1\n      kind: List\n      items:\n      - " + object + "\n", ""},
		"nothing":          {list("{}"), at + ".name: is missing; write a name for this set of objects\n" + at + ": has no objects; write content or url"},
		"name":             {list("{name: A_B, url: 'https://example.com/a'}"), at + `.name: "A_B" is not a name: lower-case letters, digits, - and ., at most 63, first and last a letter or digit`},
		"same name":        {list("{name: a, content: '" + object + "'}, {name: a, content: '" + object + "'}"), `m:4: cluster.manifests[1].name: "a" is the name of cluster.manifests[0] too`},
		"both":             {list("{name: a, content: '" + object + "', url: 'https://example.com/a'}"), at + ".url: is set besides content; write either"},
		"http":             {list("{name: a, url: 'http://example.com/a'}"), at + ".url: anybody on the way could change what http:// brings; take https://, or write sha256"},
		"no URL":           {list("{name: a, url: /etc/passwd}"), at + `.url: "/etc/passwd" is not an address such as https://example.com/objects.yaml`},
		"password":         {list("{name: a, url: 'ftp://u:secret@example.com/a'}"), at + `.url: "ftp://…@example.com/a" is not an address such as https://example.com/objects.yaml`},
		"digest":           {list("{name: a, url: 'https://example.com/a', sha256: abc}"), at + `.sha256: "abc" is not a SHA-256 digest, 64 hex digits`},
		"digest of inline": {list("{name: a, content: '" + object + "', sha256: " + digest + "}"), at + ".sha256: is for a url, which is not set"},
		"no kind":          {list("{name: a, content: '{apiVersion: v1}'}"), at + ".content: document 1 has no kind"},
		"no name":          {list("{name: a, content: '{apiVersion: v1, kind: Pod}'}"), at + ".content: document 1 (Pod) has no metadata.name"},
		"not an object":    {list("{name: a, content: hello}"), at + ".content: document 1 is not an object of Kubernetes, which has apiVersion, kind and metadata"},
		"empty":            {list("{name: a, content: '# nothing'}"), at + ".content: has no objects in it"},
		"item of a list":   {list("{name: a, content: '{apiVersion: v1, kind: List, items: [{kind: Pod}]}'}"), at + ".content: document 1 has an item 1 that has no apiVersion"},
		"not YAML":         {list("{name: a, content: '{'}"), at + ".content: document 1 is not valid YAML: yaml: line 1: did not find expected node content"},
	})
}

func TestValidateRegistries(t *testing.T) {
	registries := func(s string) string { return "  registries: {" + s + "}\n" }
	const at = "m:5: machine.registries."
	ca := strings.ReplaceAll(testCertificate(t), "\n", "\\n")
	checkCases(t, map[string]struct{ in, want string }{
		"good":             {registries("mirrors: {docker.io: {endpoints: ['https://mirror.example.com', 'http://192.0.2.1:5000/v2/hub'], overridePath: true}, '*': {endpoints: ['https://[2001:db8::1]:5000'], fallback: false}}, hosts: {'mirror.example.com': {username: edge, password: s, ca: \"" + ca + "\"}, 'registry:5000': {token: t, skipVerify: true}}"), ""},
		"no endpoint":      {registries("mirrors: {docker.io: {}}"), at + `mirrors["docker.io"].endpoints: is missing; write the addresses of the mirror: [https://mirror.example.com]`},
		"scheme in name":   {registries("mirrors: {'https://docker.io': {endpoints: ['https://m.example']}}"), at + `mirrors["https://docker.io"]: write the host alone, without the scheme: docker.io`},
		"path in name":     {registries("hosts: {ghcr.io/me: {skipVerify: true}}"), at + `hosts["ghcr.io/me"]: write the host alone, without a path: ghcr.io`},
		"other name":       {registries("mirrors: {registry-1.docker.io: {endpoints: ['https://m.example']}}"), at + `mirrors["registry-1.docker.io"]: write docker.io, as in names of images`},
		"all hosts":        {registries("hosts: {'*': {skipVerify: true}}"), at + `hosts["*"]: "*" is not a host such as registry.example.com or 192.0.2.1:5000`},
		"port":             {registries("hosts: {'a.example:0': {skipVerify: true}}"), at + `hosts["a.example:0"]: "a.example:0" is not a host such as registry.example.com or 192.0.2.1:5000`},
		"no URL":           {registries("mirrors: {docker.io: {endpoints: [m.example]}}"), at + `mirrors["docker.io"].endpoints[0]: "m.example" is not an address such as https://mirror.example.com`},
		"user in URL":      {registries("mirrors: {docker.io: {endpoints: ['https://u:p@m.example']}}"), at + `mirrors["docker.io"].endpoints[0]: has a user in it; write name and password to machine.registries.hosts["m.example"]`},
		"query":            {registries("mirrors: {docker.io: {endpoints: ['https://m.example?a=b']}}"), at + `mirrors["docker.io"].endpoints[0]: "https://m.example?a=b" has more than host and path`},
		"endpoint twice":   {registries("mirrors: {docker.io: {endpoints: ['https://m.example', 'https://m.example']}}"), at + `mirrors["docker.io"].endpoints[1]: https://m.example is in the list already`},
		"no password":      {registries("hosts: {a.example: {username: u}}"), at + `hosts["a.example"].password: is missing; username has one`},
		"no user":          {registries("hosts: {a.example: {password: u}}"), at + `hosts["a.example"].username: is missing; password is of a user (registries that take a token alone accept any name)`},
		"both credentials": {registries("hosts: {a.example: {username: u, password: p, token: t}}"), at + `hosts["a.example"].token: stands for username and password; write either`},
		"line break":       {registries("hosts: {a.example: {username: u, password: \"p\\n\"}}"), at + `hosts["a.example"].password: has control characters in it; is there a line break at its end?`},
		"no certificate":   {registries("hosts: {a.example: {ca: hello}}"), at + `hosts["a.example"].ca: has no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----`},
		"key":              {registries("hosts: {a.example: {ca: \"-----BEGIN PRIVATE KEY-----\\nAA==\\n-----END PRIVATE KEY-----\\n\"}}"), at + `hosts["a.example"].ca: has a PRIVATE KEY in it; only certificates belong here`},
		"after it":         {registries("hosts: {a.example: {ca: \"" + ca + "more\"}}"), at + `hosts["a.example"].ca: has something that is not PEM after certificate 1`},
		"CA in vain":       {registries("hosts: {a.example: {skipVerify: true, ca: \"" + ca + "\"}}"), at + `hosts["a.example"].skipVerify: makes ca do nothing; write either`},
	})
}

func testCertificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func FuzzCheckObjects(f *testing.F) {
	f.Add("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n# nothing")
	f.Add("&a {apiVersion: v1, kind: List, items: [*a]}")
	f.Add("a: &a [*a, *a]\n---\n- *a")
	f.Fuzz(func(t *testing.T, text string) {
		if err := checkObjects(text); err == nil && !strings.Contains(text, "name") && !strings.Contains(text, "\\") && !strings.Contains(text, "items") {
			t.Errorf("accepted %q", text)
		}
	})
}
