package node

import (
	"strings"
	"testing"

	"github.com/coracle-os/coracle/kube/flags"
	"github.com/coracle-os/coracle/kube/flags/flagstest"
)

func TestFlagLists(t *testing.T) {
	for _, component := range []string{flags.Kubelet, flags.KubeProxy} {
		set, err := FlagSet(component)
		if err != nil {
			t.Fatal(err)
		}
		flagstest.Compare(t, component, set)
	}
}

func TestOwnFlagsAreClassified(t *testing.T) {
	flagstest.Classified(t, flags.KubeProxy, testConfig(t).proxyFlags(),
		"nodeport-addresses", "conntrack-max-per-core", "conntrack-tcp-timeout-established", "conntrack-tcp-timeout-close-wait")
}

func TestExtraArgs(t *testing.T) {
	c := testConfig(t)
	c.Settings.ExtraArgs = map[string]map[string]string{
		flags.Kubelet:   {"max-pods": "40", "eviction-hard": "memory.available<64Mi", "container-log-max-size": "1Mi"},
		flags.KubeProxy: {"nodeport-addresses": "192.0.2.0/24"},
	}
	server, err := c.kubeletServer()
	if err != nil {
		t.Fatal(err)
	}
	if server.MaxPods != 40 || len(server.EvictionHard) != 1 || server.ContainerLogMaxSize != "1Mi" || server.ContainerLogMaxFiles != 2 {
		t.Errorf("kubelet: max-pods %d, eviction %v, logs %s × %d", server.MaxPods, server.EvictionHard, server.ContainerLogMaxSize, server.ContainerLogMaxFiles)
	}
	if _, err := c.proxyOptions(); err != nil {
		t.Error(err)
	}
	c.Settings.ExtraArgs = map[string]map[string]string{flags.Kubelet: {"max-pods": "many"}}
	if _, err := c.kubeletServer(); err == nil || !strings.Contains(err.Error(), "max-pods") {
		t.Errorf("error %v", err)
	}
}
