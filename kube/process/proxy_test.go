package process

import (
	"net/url"
	"testing"

	"golang.org/x/net/http/httpproxy"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/control/controltest"
)

func TestProxyEnvironment(t *testing.T) {
	s := controltest.ServerSettings()
	if got := proxyEnvironment(s); got != nil {
		t.Errorf("without a proxy: %v", got)
	}
	s.PodCIDR, s.ServiceCIDR = "10.42.0.0/16,fd42::/56", "10.43.0.0/16,fd43::/112"
	s.Proxy = control.Proxy{HTTP: "http://proxy:3128", HTTPS: "http://u:p@proxy:3129", NoProxy: []string{"registry.lan", ".plant.example", "198.51.100.0/24"}}
	variables := proxyEnvironment(s)
	choose := (&httpproxy.Config{HTTPProxy: variables["HTTP_PROXY"], HTTPSProxy: variables["HTTPS_PROXY"], NoProxy: variables["NO_PROXY"]}).ProxyFunc()
	for target, want := range map[string]string{
		"http://example.com/":                               "http://proxy:3128",
		"https://registry-1.docker.io/v2/":                  "http://u:p@proxy:3129",
		"https://10.44.0.1/":                                "http://u:p@proxy:3129",
		"https://127.0.0.1:6443/api":                        "",
		"https://localhost:6443/api":                        "",
		"https://[::1]:6443/api":                            "",
		"https://192.0.2.7:10250/exec":                      "", // the node
		"https://edge-1:6443/":                              "",
		"https://10.42.0.9:8443/":                           "", // a pod
		"http://[fd42::9]/":                                 "",
		"https://10.43.0.1/":                                "", // a Service
		"https://metrics-server.kube-system.svc:443/apis":   "",
		"https://hook.default.svc.cluster.local/validate":   "",
		"https://registry.lan/v2/":                          "",
		"https://a.plant.example/":                          "",
		"http://198.51.100.9/":                              "",
		"https://kubernetes.default.svc.cluster.local:443/": "",
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if p, err := choose(u); err != nil {
			t.Error(err)
		} else if p != nil {
			got = p.String()
		}
		if got != want {
			t.Errorf("%s goes through %q, want %q", target, got, want)
		}
	}
}
