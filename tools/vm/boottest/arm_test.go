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
		l.sub("Architecture", func(l *lab) { testArchitecture(l, "arm64") })
		l.sub("PowerButton", testPowerButton)
	})
}

// TestARMHF boots the image for 32-bit ARM, from U-Boot on, to a Ready node with work on it, and shuts it down. The work comes with the
// machine's config, not from kubectl: QEMU is several times as slow with 32-bit ARM as with the others, the more so with two processors.
func TestARMHF(t *testing.T) {
	flashedLab(t, "armhf", image(t, "armhf"), diskSize, func(l *lab) {
		l.configure(string(l.dev.ServerConfig(configuredWeb)))
		spec := l.standard()
		spec.CPUs = 1
		l.bootReady(spec)
		l.answersHost("http://" + l.machine.Address(nodePort) + "/")
		l.Logf("answers after %.1f s", l.machine.Age().Seconds())
		if all() {
			l.waitForCoreDNS()
			l.sub("Architecture", func(l *lab) { testArchitecture(l, "arm") })
		}
		l.sub("PowerButton", testPowerButton)
	})
}

// configuredWeb is a web server on the machine's own network, in its config.
const configuredWeb = `cluster:
  manifests:
    - name: web
      content: |
        apiVersion: v1
        kind: Pod
        metadata: {name: web, namespace: default}
        spec:
          hostNetwork: true
          terminationGracePeriodSeconds: 1
          containers:
            - name: httpd
              image: coracle.local/busybox:1
              imagePullPolicy: Never
              command: [sh, -c, "mkdir /tmp/www; echo from the ConfigMap > /tmp/www/index.html; exec httpd -f -p 30080 -h /tmp/www"]
              volumeMounts: [{name: tmp, mountPath: /tmp}]
          volumes: [{name: tmp, emptyDir: {}}]
`

func testArchitecture(l *lab, want string) {
	if got := strings.TrimSpace(l.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.architecture}")); got != want {
		l.Errorf("the node says %q", got)
	}
}
