package boottest

import "testing"

// TestServer is the life of a single server: its work, its accidents, its end. The parts run one after the other on one
// machine, because a boot takes long without acceleration.
func TestServer(t *testing.T) {
	serverLab(t, func(l *lab) {
		l.bootReady(l.standard())

		l.apply("workload.yaml")
		l.wait("rollout", "status", "deployment/web")
		l.wait("rollout", "status", "deployment/writer")
		l.wait("wait", "--for=condition=Ready", "pod/client")
		l.waitForCoreDNS()

		for _, part := range []struct {
			name string
			test func(*lab)
		}{
			{"DNS", testDNS},
			{"ClusterIP", testClusterIP},
			{"NodePort", testNodePort},
			{"Logs", testLogs},
			{"Exec", testExec},
			{"PortForward", testPortForward},
			{"ConfigMap", testConfigMap},
			{"CrashedContainer", testCrashedContainer},
			{"MachinedKilled", testMachinedKilled},
			{"KubeKilled", testKubeKilled},
		} {
			l.sub(part.name, part.test)
		}
		testPowerCut(l)
		l.sub("PowerButton", testPowerButton)
	})
}

func testPowerButton(l *lab) {
	if err := l.machine.PowerOff(l.within(shutDownIn)); err != nil {
		l.Error(err)
	}
	l.Logf("off after %.1f s", l.machine.Age().Seconds())
}
