package boottest

import (
	"fmt"
	"testing"
	"time"

	"github.com/coracle-os/coracle/tools/vm/machine"
)

// attempts is how often a test is begun at most.
const attempts = 3

// attempt is a run of a test. One whose machine QEMU broke (machine.EmulatorFault) does not count, however it ends: it is
// skipped where that is noticed, and the test begins again with a new disk. The last one counts always. What failed before
// QEMU broke the machine has failed.
type attempt struct {
	number   int
	machines []breakable // all that were switched on
	void     bool
}

// breakable is a machine.Machine.
type breakable interface {
	EmulatorFault(wait time.Duration) error
}

// inAttempts runs a test until an attempt counts, each as a subtest.
func inAttempts(t *testing.T, test func(l *lab)) {
	t.Helper()
	for n := 1; n <= attempts; n++ {
		a := &attempt{number: n}
		passed := t.Run(fmt.Sprintf("attempt%d", n), func(t *testing.T) {
			l := &lab{T: t, attempt: a}
			test(l)
			l.excuse(0, "the test passed")
		})
		if !a.void || !passed {
			return
		}
	}
}

// excuse ends the attempt when QEMU broke a machine. outcome is what would have been said otherwise.
func (l *lab) excuse(wait time.Duration, outcome string) {
	l.Helper()
	fault := l.attempt.fault(wait)
	switch {
	case fault == nil:
	case l.attempt.number == attempts:
		l.T.Fatalf("%s\nattempt %d, the last: %v", outcome, attempts, fault)
	default:
		l.attempt.void = true
		l.Skipf("ATTEMPT %d OF %d DOES NOT COUNT: %v\n%s", l.attempt.number, attempts, fault, outcome)
	}
}

// fault is that of the first machine which QEMU broke. The one that was switched on last may be dying just now.
func (a *attempt) fault(wait time.Duration) error {
	for i, m := range a.machines {
		if i == len(a.machines)-1 {
			return m.EmulatorFault(wait)
		}
		if err := m.EmulatorFault(0); err != nil {
			return err
		}
	}
	return nil
}

// The ways in which a test fails.

func (l *lab) Error(args ...any) {
	l.Helper()
	l.excuse(machine.DumpTime, fmt.Sprint(args...))
	l.T.Error(args...)
}

func (l *lab) Errorf(format string, args ...any) {
	l.Helper()
	l.excuse(machine.DumpTime, fmt.Sprintf(format, args...))
	l.T.Errorf(format, args...)
}

func (l *lab) Fatal(args ...any) {
	l.Helper()
	l.excuse(machine.DumpTime, fmt.Sprint(args...))
	l.T.Fatal(args...)
}

func (l *lab) Fatalf(format string, args ...any) {
	l.Helper()
	l.excuse(machine.DumpTime, fmt.Sprintf(format, args...))
	l.T.Fatalf(format, args...)
}
