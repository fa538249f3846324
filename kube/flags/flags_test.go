package flags

import (
	"slices"
	"strings"
	"testing"
)

// Every name and pattern of the owned flags means at least one flag of each of its components, or it is misspelt.
func TestOwnedFlagsExist(t *testing.T) {
	for _, o := range owned {
		for _, name := range o.names {
			single := owner{o.components, []string{name}, o.why}
			if !slices.ContainsFunc(o.components, func(c string) bool {
				return slices.ContainsFunc(Known(c), func(flag string) bool { return single.has(c, flag) })
			}) {
				t.Errorf("no component of %v has a flag %s", o.components, name)
			}
		}
	}
	for _, c := range Components {
		if free := Free(c); len(free) < 5 {
			t.Errorf("only %d flags of %s are free: %v", len(free), c, free)
		}
	}
}

func TestOwner(t *testing.T) {
	for name, tc := range map[string]struct {
		component, flag, want string
	}{
		"free":                     {APIServer, "event-ttl", ""},
		"datastore":                {APIServer, "etcd-servers", "cluster.datastore"},
		"pattern":                  {APIServer, "oidc-issuer-url", "authentication configuration"},
		"pattern of another":       {Kubelet, "healthz-port", "kubelet"},
		"feature gates":            {Kubelet, "feature-gates", "cluster.apiServer.extraArgs"},
		"feature gates, there":     {APIServer, "feature-gates", ""},
		"no prefix without a star": {APIServer, "etcd-servers-x", ""},
		"signing duration is free": {ControllerManager, "cluster-signing-duration", ""},
		"unknown component":        {"etcd", "v", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Owner(tc.component, tc.flag); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	got := strings.Join(Merge(
		[]string{"--controllers=*,-a", "--profiling=false", "--nodeport-addresses=0.0.0.0/0,::/0"},
		map[string]string{"nodeport-addresses": "192.0.2.0/24", "controllers": "-b", "max-pods": "40", "event-ttl": "1h=x"},
	), " ")
	if want := "--controllers=*,-a,-b --profiling=false --nodeport-addresses=192.0.2.0/24 --event-ttl=1h=x --max-pods=40"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
