package boottest

import (
	"errors"
	"testing"

	"github.com/coracle-os/coracle/tools/vm/machine"
)

// TestPulledStick boots a machine from a stick, and pulls it out while Kubernetes works. The machine says so and restarts; with the stick it
// is what it was.
func TestPulledStick(t *testing.T) {
	onlyInAll(t)
	serverLab(t, func(l *lab) {
		spec := l.single()
		spec.Stick = true
		l.bootReady(spec)
		before := l.identity()
		if err := l.machine.PullStick(l.within(answerWithin)); err != nil {
			l.Fatal(err)
		}
		l.says(`init: THE DISK /dev/sda IS GONE`)
		l.restarted()
		if err := l.machine.Err(); !errors.Is(err, machine.ErrRebooted) {
			l.Errorf("the machine ended because %v, want a restart", err)
		}
		l.bootReady(spec)
		if after := l.identity(); after != before {
			l.Errorf("with the stick again the identity is %+v, was %+v", after, before)
		}
	})
}
