package boottest

import (
	"strings"
	"testing"

	"github.com/coracle-os/coracle/tools/vm/machine"
)

// TestARM64 boots the image for 64-bit ARM to a Ready node with work on it, and shuts it down.
func TestARM64(t *testing.T) {
	serverLabOf(t, "arm64", func(l *lab) {
		l.bootReady(l.standard())
		l.apply("workload.yaml")
		l.wait("rollout", "status", "deployment/web")
		l.answersHost("http://" + l.machine.Address(nodePort) + "/")
		l.waitForCoreDNS()
		l.sub("Architecture", func(l *lab) { testArchitecture(l, "arm64") })
		l.sub("PowerButton", testPowerButton)
	})
}

// TestARMHF boots the image for 32-bit ARM, from U-Boot on, with 1 GiB to a Ready node with a pod on it, and shuts it down. The pod comes with the machine's
// config and is heard on the console, and there is no network and no add-on: QEMU is several times as slow with 32-bit ARM as with the others.
// `make test-all` has network and add-ons.
func TestARMHF(t *testing.T) {
	flashedLab(t, "armhf", image(t, "armhf"), diskSize, func(l *lab) {
		config, spec := configuredPod, l.standard()
		spec.Memory = 1024
		if !all() {
			config += "  addons: {coredns: {enabled: false}, devices: {enabled: false}}\n"
			spec.Network, spec.Forward = machine.None, nil
		}
		l.configure(string(l.dev.ServerConfig(config)))
		l.bootReady(spec)
		l.says("a pod runs")
		l.Logf("a pod runs after %.1f s", l.machine.Age().Seconds())
		if all() {
			l.waitForCoreDNS()
			l.sub("Architecture", func(l *lab) { testArchitecture(l, "arm") })
		}
		l.hadMemory()
		l.sub("PowerButton", testPowerButton)
	})
}

// configuredPod is a pod in a machine's config, which writes to the kernel's log.
const configuredPod = `cluster:
  manifests:
    - name: pod
      content: |
        apiVersion: v1
        kind: Pod
        metadata: {name: pod, namespace: default}
        spec:
          terminationGracePeriodSeconds: 1
          containers:
            - name: busybox
              image: coracle.local/busybox:1
              imagePullPolicy: Never
              securityContext: {privileged: true}
              command: [sh, -c, "echo '<4>a pod runs' >/dev/kmsg; exec sleep 2147483647"]
`

func testArchitecture(l *lab, want string) {
	if got := strings.TrimSpace(l.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.architecture}")); got != want {
		l.Errorf("the node says %q", got)
	}
}
