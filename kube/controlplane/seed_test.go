package controlplane

import (
	"errors"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
)

func TestSeed(t *testing.T) {
	stored := map[string]runtime.Object{}
	err := Seed(func(key string, value []byte) error {
		if _, twice := stored[key]; twice {
			t.Errorf("%s is created twice", key)
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
		"/registry/roles/kube-system/system:controller:bootstrap-signer", "/registry/rolebindings/kube-public/system:controller:bootstrap-signer",
	} {
		if stored[key] == nil {
			t.Errorf("no %s", key)
		}
	}
	if role, ok := stored["/registry/clusterroles/view"].(*rbacv1.ClusterRole); !ok || role.AggregationRule == nil || role.UID == "" ||
		role.CreationTimestamp.IsZero() || role.Labels["kubernetes.io/bootstrapping"] != "rbac-defaults" {
		t.Errorf("view is not as upstream makes it: %+v", stored["/registry/clusterroles/view"])
	}

	full := errors.New("disk full")
	if err := Seed(func(string, []byte) error { return full }); !errors.Is(err, full) || !strings.Contains(err.Error(), "/registry/namespaces/default") {
		t.Errorf("error %v does not say what could not be stored", err)
	}
}
