package addons

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coredns/caddy/caddyfile"
	appsv1 "k8s.io/api/apps/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/coracle-os/coracle/kube/control"
)

var update = flag.Bool("update", false, "rewrite testdata")

func testValues(resolvers ...string) values {
	return values{
		Config:    Config{CoreDNS: control.CoreDNS{Enabled: true, CacheSeconds: 30}, Fleet: control.Fleet{Enabled: true}, Cluster: testCluster, ClusterDNS: "10.43.0.10", ClusterDomain: "cluster.local"},
		Image:     "coracle.local/coredns:v1.15.0",
		Resolvers: resolvers,
	}
}

var testCluster = control.Cluster{
	PodCIDR: "10.42.0.0/16,fd42::/56", ServiceCIDR: "10.43.0.0/16,fd43::/112", ClusterDNS: "10.43.0.10", ClusterDomain: "cluster.local",
	FlannelBackend: "vxlan", Devices: control.Devices{Enabled: true}, FeatureGates: "AllAlpha=false",
}

// TestClusterIsTold: agents read what the server says of the cluster as it was said.
func TestClusterIsTold(t *testing.T) {
	for _, o := range mustRender(t, testValues()) {
		if o.GetName() != control.ClusterConfigMap {
			continue
		}
		text, _, _ := unstructured.NestedString(o.Object, "data", control.ClusterKey)
		var got control.Cluster
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != testCluster {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		return
	}
	t.Error("agents are told nothing")
}

func mustRender(t *testing.T, v values) []*unstructured.Unstructured {
	t.Helper()
	objects, err := render(v)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// Every add-on, turned on, consists of objects that the API knows, without a misspelt field, of kinds that are found
// again for removal.
func TestManifestsAreStrictlyValid(t *testing.T) {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensions.AddToScheme} {
		if err := add(known); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer()
	objects := mustRender(t, testValues("192.0.2.1"))
	names := make(map[string]bool)
	for _, o := range objects {
		names[o.GetLabels()[labelAddon]] = true
		b, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := decoder.Decode(b, nil, nil); err != nil {
			t.Errorf("%s: %v", keyOf(o), err)
		}
		k, err := kindOf(o)
		if err != nil {
			t.Error(err)
		}
		if k.namespaced != (o.GetNamespace() != "") {
			t.Errorf("%s: namespace %q", keyOf(o), o.GetNamespace())
		}
		if o.GetAnnotations()[annotationHash] == "" {
			t.Errorf("%s has no hash", keyOf(o))
		}
	}
	for _, a := range addons {
		if !names[a.name] {
			t.Errorf("add-on %s has no objects", a.name)
		}
	}
	if got := mustRender(t, values{}); len(got) != 0 {
		t.Errorf("turned off, there are still %d objects", len(got))
	}
}

func corefile(t *testing.T, v values) string {
	t.Helper()
	for _, o := range mustRender(t, v) {
		if o.GetKind() == "ConfigMap" && o.GetName() == "coredns" {
			s, _, _ := unstructured.NestedString(o.Object, "data", "Corefile")
			return s
		}
	}
	t.Fatal("no Corefile")
	return ""
}

func TestCorefile(t *testing.T) {
	full := testValues("192.0.2.1:5353")
	full.CoreDNS = control.CoreDNS{
		Enabled: true, CacheSeconds: 60,
		Hosts:        map[string][]string{"printer.plant.example": {"192.0.2.9", "fd00::9"}, "gate.plant.example": {"192.0.2.10"}},
		Domains:      map[string][]string{"plant.example": {"192.0.2.53", "192.0.2.54:5353"}},
		ServerBlocks: "# our own\nlab.example {\n\ttemplate ANY ANY {\n\t\trcode NXDOMAIN\n\t}\n}\n",
	}
	for _, tc := range []struct {
		name    string
		values  values
		forward []string
	}{
		{"resolvers", testValues("192.0.2.1", "fd00::1"), []string{".", "192.0.2.1", "fd00::1"}},
		{"no resolver", testValues(), nil},
		{"everything", full, []string{".", "192.0.2.1:5353"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := corefile(t, tc.values)
			golden := filepath.Join("testdata", strings.ReplaceAll(tc.name, " ", "-")+".Corefile")
			if *update {
				if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if text != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", text, want)
			}
			// CoreDNS' own parser.
			blocks, err := caddyfile.Parse("Corefile", strings.NewReader(text), nil)
			blocksWanted := 1 + len(tc.values.CoreDNS.Domains) + strings.Count(tc.values.CoreDNS.ServerBlocks, "lab.example")
			if err != nil || len(blocks) != blocksWanted {
				t.Fatalf("%d server blocks, %v", len(blocks), err)
			}
			var forward []string
			for _, token := range blocks[0].Tokens["forward"] {
				if token.Text == "{" {
					break
				}
				forward = append(forward, token.Text)
			}
			if len(forward) > 0 {
				forward = forward[1:]
			}
			if !slices.Equal(forward, tc.forward) {
				t.Errorf("forwards to %q, want %q", forward, tc.forward)
			}
			for _, plugin := range []string{"errors", "health", "ready", "kubernetes", "prometheus", "cache", "loop", "reload", "loadbalance"} {
				if len(blocks[0].Tokens[plugin]) == 0 {
					t.Errorf("no plugin %s", plugin)
				}
			}
		})
	}
}

// What lets CoreDNS run on a machine that has no registry, little memory, and pods with no privileges.
func TestCoreDNSDeployment(t *testing.T) {
	for _, o := range mustRender(t, testValues()) {
		if o.GetKind() != "Deployment" {
			continue
		}
		var d appsv1.Deployment
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &d); err != nil {
			t.Fatal(err)
		}
		pod := d.Spec.Template.Spec
		c := pod.Containers[0]
		if c.Image != "coracle.local/coredns:v1.15.0" || c.ImagePullPolicy != "IfNotPresent" {
			t.Errorf("image %s, pulled %s", c.Image, c.ImagePullPolicy)
		}
		if s := c.SecurityContext; *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !*pod.SecurityContext.RunAsNonRoot {
			t.Error("it has privileges that it does not need")
		}
		if c.Resources.Limits.Memory().Value() < 100<<20 {
			t.Errorf("memory limit %s is below GOMEMLIMIT", c.Resources.Limits.Memory())
		}
		if pod.DNSPolicy != "Default" || pod.PriorityClassName != "system-cluster-critical" {
			t.Errorf("DNS policy %s, priority class %s", pod.DNSPolicy, pod.PriorityClassName)
		}
		return
	}
	t.Fatal("no Deployment")
}
