package boottest

import (
	"strings"
	"testing"
)

// TestARM64 boots the image for 64-bit ARM to a Ready node with work on it, and shuts it down.
func TestARM64(t *testing.T) {
	serverLabOf(t, "arm64", func(l *lab) {
		l.bootReady(l.standard())
		l.apply("workload.yaml")
		l.wait("rollout", "status", "deployment/web")
		l.answersHost("http://" + l.machine.Address(nodePort) + "/")
		l.waitForCoreDNS()
		l.sub("Architecture", func(l *lab) {
			if got := strings.TrimSpace(l.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.architecture}")); got != "arm64" {
				l.Errorf("the node says %q", got)
			}
		})
		l.sub("PowerButton", testPowerButton)
	})
}
