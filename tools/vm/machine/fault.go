package machine

import (
	"fmt"
	"time"
)

// DumpTime is how long a kernel on an emulated processor may take from its death to the lines on the serial console that
// say of what.
const DumpTime = 5 * time.Second

// EmulatorFault is an error when QEMU broke the machine, which then says nothing about the image; otherwise nil. To a
// machine that may be dying just now it gives wait to say so.
//
// QEMU before 8.1 emulates several processors with a race: one may run on with the translation of code that another has
// replaced (QEMU's commit deba78709ae8, "accel/tcg: Always lock pages before translation", mends it; for code that lies
// across two pages, a fix of June 2024 to that). A kernel that patches itself then meets a breakpoint which it has already
// removed, in about one boot of ten:
// https://github.com/multipath-tcp/mptcp_net-next/issues/471. With KVM or a single processor there is no such race, and ARM's kernels patch
// themselves without breakpoints: nothing is blamed on QEMU then.
func (m *Machine) EmulatorFault(wait time.Duration) error {
	if !m.races || m.spec.CPUs == 1 {
		return nil
	}
	if wait > 0 {
		select {
		case <-m.Console.Failed():
		case <-time.After(wait):
		}
	}
	oops := m.Console.SpuriousInt3()
	if oops == "" {
		return nil
	}
	return fmt.Errorf("not the image but QEMU's emulation of %d processors broke the kernel (rare since QEMU 8.1): it ran a breakpoint that was no longer there: %s",
		m.spec.CPUs, oops)
}
