package addons

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func object(kind, name, hash string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"kind": kind,
		"metadata": map[string]any{
			"name": name, "namespace": "kube-system", "annotations": map[string]any{annotationHash: hash},
		},
	}}
}

func TestPlan(t *testing.T) {
	at := func(kind, name string) key { return key{kind, "kube-system", name} }
	wanted := []*unstructured.Unstructured{
		object("Deployment", "coredns", "1"), object("Service", "kube-dns", "1"), object("ServiceAccount", "coredns", "1"),
	}
	for _, tc := range []struct {
		name   string
		wanted []*unstructured.Unstructured
		found  map[key]string
		apply  string
		remove string
	}{
		{"first start, in order of kinds", wanted, nil, "ServiceAccount Service Deployment", ""},
		{"nothing changed", wanted, map[key]string{
			at("Deployment", "coredns"): "1", at("Service", "kube-dns"): "1", at("ServiceAccount", "coredns"): "1",
		}, "", ""},
		{"changed, and one deleted by hand", wanted, map[key]string{
			at("Deployment", "coredns"): "0", at("Service", "kube-dns"): "1",
		}, "ServiceAccount Deployment", ""},
		{"the version before had more", wanted, map[key]string{
			at("Deployment", "coredns"): "1", at("Service", "kube-dns"): "1", at("ServiceAccount", "coredns"): "1",
			at("ConfigMap", "old"): "1", at("Deployment", "old"): "1",
		}, "", "Deployment/old ConfigMap/old"},
		{"turned off", nil, map[key]string{at("ServiceAccount", "coredns"): "1", at("Deployment", "coredns"): "1"},
			"", "Deployment/coredns ServiceAccount/coredns"},
		{"same name in another namespace", wanted[:1], map[key]string{{"Deployment", "default", "coredns"}: "1"},
			"Deployment", "Deployment/coredns"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			apply, remove := plan(tc.wanted, tc.found)
			var a, r []string
			for _, o := range apply {
				a = append(a, o.GetKind())
			}
			for _, k := range remove {
				r = append(r, k.kind+"/"+k.name)
			}
			if got := strings.Join(a, " "); got != tc.apply {
				t.Errorf("apply %q, want %q", got, tc.apply)
			}
			if got := strings.Join(r, " "); got != tc.remove {
				t.Errorf("remove %q, want %q", got, tc.remove)
			}
		})
	}
}

func TestParseResolvers(t *testing.T) {
	for _, tc := range []struct {
		name, file       string
		usable, unusable []string
	}{
		{"usual", "# by DHCP\nsearch lan\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 # v6\noptions edns0\n",
			[]string{"192.0.2.1", "2001:db8::1"}, nil},
		{"empty", "", nil, nil},
		{"loopback", "nameserver 127.0.0.53\nnameserver ::1\nnameserver 0.0.0.0\n", nil, []string{"127.0.0.53", "::1", "0.0.0.0"}},
		{"link-local with zone", "nameserver fe80::1%eth0\nnameserver 192.0.2.1\n", []string{"192.0.2.1"}, []string{"fe80::1%eth0"}},
		{"more than three", "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
			[]string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}, nil},
		{"nonsense", "nameserver\nnameserver here\nnameservers 192.0.2.1\n", nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			usable, unusable := parseResolvers(strings.NewReader(tc.file))
			if !slices.Equal(usable, tc.usable) || !slices.Equal(unusable, tc.unusable) {
				t.Errorf("got %q and %q", usable, unusable)
			}
		})
	}
}

func FuzzParseResolvers(f *testing.F) {
	f.Add("nameserver 192.0.2.1\nnameserver fe80::1%eth0")
	f.Fuzz(func(t *testing.T, file string) {
		usable, _ := parseResolvers(strings.NewReader(file))
		for _, r := range usable { // they are written into a Corefile
			if strings.ContainsAny(r, " \t\n{}%\"#") {
				t.Errorf("resolver %q", r)
			}
		}
	})
}
