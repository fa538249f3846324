package machine

import (
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/tools/vm/console"
)

func TestEmulatorFault(t *testing.T) {
	const (
		spurious = "[   21.300000] Oops: int3: 0000 [#1] PREEMPT SMP\n[   21.300000] Code: 0f <1f> 44\n"
		panicked = "[   21.300000] Kernel panic - not syncing: Fatal exception in interrupt\n"
	)
	for _, c := range []struct {
		name  string
		kvm   bool
		cpus  int
		text  string
		fault bool
	}{
		{"two emulated processors", false, 2, spurious + panicked, true},
		{"a real processor", true, 2, spurious + panicked, false},
		{"a single emulated processor", false, 1, spurious + panicked, false},
		{"another panic", false, 2, panicked, false},
		{"healthy", false, 2, "[   21.300000] init: milestone kernel\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &Machine{Console: console.NewLog(time.Now()), races: !c.kvm, spec: Spec{CPUs: c.cpus}}
			if _, err := m.Console.Write([]byte(c.text)); err != nil {
				t.Fatal(err)
			}
			err := m.EmulatorFault(0)
			if (err != nil) != c.fault {
				t.Fatalf("got %v", err)
			}
			if c.fault && !strings.Contains(err.Error(), "int3: 0000 [#1]") {
				t.Errorf("does not show what the kernel said: %v", err)
			}
		})
	}
}

func TestEmulatorFaultOfADyingMachine(t *testing.T) {
	m := &Machine{Console: console.NewLog(time.Now()), races: true, spec: Spec{CPUs: 2}}
	got := make(chan error, 1)
	go func() { got <- m.EmulatorFault(time.Minute) }()
	if _, err := m.Console.Write([]byte("[    1.000000] int3: 0000 [#1] SMP\n[    1.000000] Code: 66 <90> 48\n")); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err == nil {
		t.Error("what the machine said while it was asked is lost")
	}
}
