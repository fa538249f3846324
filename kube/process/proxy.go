package process

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/kube/control"
)

// SetProxy puts the proxy into the environment of this process, where containerd's pulls, webhooks and everything else that
// leaves the cluster look for it. net/http reads the environment once, at the first request: it has to be called before.
func SetProxy(s control.Settings) error {
	for name, value := range proxyEnvironment(s) {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

// proxyEnvironment are the variables (golang.org/x/net/http/httpproxy has their meaning); nil without a proxy. What is in the
// cluster is never asked through the proxy: the components talk to each other, to pods and to Services.
func proxyEnvironment(s control.Settings) map[string]string {
	if s.Proxy.HTTP == "" && s.Proxy.HTTPS == "" {
		return nil
	}
	endpoint, _, _ := net.SplitHostPort(s.Endpoint) // of the servers
	direct := slices.Concat(
		[]string{"localhost", "127.0.0.0/8", "::1", endpoint}, s.NodeIPs, []string{s.NodeName},
		strings.Split(s.PodCIDR, ","), strings.Split(s.ServiceCIDR, ","), []string{".svc", "." + s.ClusterDomain}, s.Proxy.NoProxy,
	)
	variables := map[string]string{"NO_PROXY": strings.Join(direct, ",")}
	if s.Proxy.HTTP != "" {
		variables["HTTP_PROXY"] = s.Proxy.HTTP
	}
	if s.Proxy.HTTPS != "" {
		variables["HTTPS_PROXY"] = s.Proxy.HTTPS
	}
	return variables
}
