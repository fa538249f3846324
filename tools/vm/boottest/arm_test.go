package boottest

import (
	"strings"
	"testing"

	"github.com/coracle-os/coracle/tools/vm/machine"
)

// TestARM64 boots the image for 64-bit ARM.
func TestARM64(t *testing.T) { testArchitecture(t, "arm64", "arm64", 2) }

// TestARMHF boots the image for 32-bit ARM, from U-Boot on, to a Ready node, and shuts it down. More is in `make test-all`: QEMU is several
// times as slow with 32-bit ARM as with the others, the more so with two processors.
func TestARMHF(t *testing.T) {
	if all() {
		testArchitecture(t, "armhf", "arm", 1)
		return
	}
	serverLabOf(t, "armhf", func(l *lab) {
		spec := l.standard()
		spec.CPUs, spec.Network, spec.Forward = 1, machine.None, nil
		l.bootReady(spec)
		l.sub("PowerButton", testPowerButton)
	})
}

// testArchitecture boots the image of an architecture to a Ready node with work on it, and shuts it down.
func testArchitecture(t *testing.T, arch, goarch string, processors int) {
	serverLabOf(t, arch, func(l *lab) {
		spec := l.standard()
		spec.CPUs = processors
		l.bootReady(spec)
		l.apply("workload.yaml")
		l.wait("rollout", "status", "deployment/web")
		l.answersHost("http://" + l.machine.Address(nodePort) + "/")
		l.waitForCoreDNS()
		l.sub("Architecture", func(l *lab) {
			if got := strings.TrimSpace(l.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.architecture}")); got != goarch {
				l.Errorf("the node says %q", got)
			}
		})
		l.sub("PowerButton", testPowerButton)
	})
}
