package boottest

import (
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/coracle-os/coracle/machined/api/machinepb"
)

// TestDowntime compares how long a workload is away when the machine restarts into another version, and when it just restarts. It
// asserts neither: machines are noisy.
func TestDowntime(t *testing.T) {
	onlyInAll(t)
	trialLab(t, func(l *lab) {
		l.bootReady(l.standard())
		l.apply("workload.yaml")
		l.answersHost("http://" + l.machine.Address(nodePort) + "/")
		api := l.api()
		if _, err := api.Reboot(l.within(answerWithin), connect.NewRequest(&machinepb.RebootRequest{})); err != nil {
			l.Fatal(err)
		}
		plain := l.downtime()
		api = l.api()
		l.milestone("node-ready", readyWithin)
		if _, err := l.push(api, built(l.T, nextVersion).path, nil); err != nil {
			l.Fatal(err)
		}
		upgraded := l.downtime()
		l.confirmed(l.api(), nextVersion)
		l.Logf("downtime: %.1f s of a restart, %.1f s of an upgrade: %.2f times as long", plain.Seconds(), upgraded.Seconds(), upgraded.Seconds()/plain.Seconds())
	})
}

// downtime waits for a machine that is about to restart, and until its workload answers again.
func (l *lab) downtime() time.Duration {
	l.Helper()
	began := time.Now()
	l.restarted()
	l.boot(l.standard())
	l.answersHost("http://" + l.machine.Address(nodePort) + "/")
	return time.Since(began)
}
