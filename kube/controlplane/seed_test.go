package controlplane

import (
	"errors"
	"net"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/flowcontrol/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/pki"
)

func TestSeed(t *testing.T) {
	keys, err := pki.Open(pki.Config{
		StateDir: t.TempDir(), RunDir: t.TempDir(), NodeName: "n", NodeIPs: []net.IP{net.IPv4(192, 0, 2, 1)}, ServiceIP: net.IPv4(10, 43, 0, 1),
		ClusterDomain: "cluster.local", APIPort: 6443, Fresh: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	config := Config{PKI: keys, Settings: control.Settings{ServiceCIDR: "10.43.0.0/16"}}
	stored := map[string]runtime.Object{}
	err = config.Seed(func(key string, value []byte) error {
		if _, twice := stored[key]; twice {
			t.Errorf("%s is created twice", key)
		}
		if strings.HasPrefix(key, "/registry/apiregistration.k8s.io/") {
			if !strings.HasPrefix(string(value), `{"kind":"APIService"`) {
				t.Errorf("%s is not in the aggregator's storage format: %s", key, value)
			}
			stored[key] = &runtime.Unknown{Raw: value}
			return nil
		}
		if !strings.HasPrefix(string(value), "k8s\x00") {
			t.Errorf("%s is not in the storage format", key)
		}
		// The apiserver's own decoder reads it.
		decoded, _, err := legacyscheme.Codecs.UniversalDeserializer().Decode(value, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		stored[key] = decoded
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"/registry/clusterroles/cluster-admin", "/registry/clusterroles/system:controller:replicaset-controller",
		"/registry/clusterrolebindings/system:kube-scheduler", "/registry/serviceaccounts/kube-system/replicaset-controller",
		"/registry/namespaces/default", "/registry/serviceaccounts/default/default",
		"/registry/configmaps/kube-system/kube-root-ca.crt", "/registry/servicecidrs/kubernetes", "/registry/flowschemas/exempt",
		"/registry/prioritylevelconfigurations/catch-all", "/registry/priorityclasses/system-node-critical",
		"/registry/apiregistration.k8s.io/apiservices/v1.", "/registry/apiregistration.k8s.io/apiservices/v1.apiextensions.k8s.io",
		"/registry/roles/kube-system/system:controller:bootstrap-signer", "/registry/rolebindings/kube-public/system:controller:bootstrap-signer",
	} {
		if stored[key] == nil {
			t.Errorf("no %s", key)
		}
	}
	if role, ok := stored["/registry/clusterroles/view"].(*rbacv1.ClusterRole); !ok || role.AggregationRule == nil || len(role.Rules) == 0 || role.UID == "" ||
		role.CreationTimestamp.IsZero() || role.Labels["kubernetes.io/bootstrapping"] != "rbac-defaults" {
		t.Errorf("view is not as upstream makes it: %+v", stored["/registry/clusterroles/view"])
	}

	full := errors.New("disk full")
	if err := config.Seed(func(string, []byte) error { return full }); !errors.Is(err, full) || !strings.Contains(err.Error(), "/registry/namespaces/default") {
		t.Errorf("error %v does not say what could not be stored", err)
	}
}
