package boottest

import (
	"testing"

	"github.com/coracle-os/coracle/tools/vm/console"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

func TestBIOS(t *testing.T) {
	onlyFor(t, "amd64") // others have no BIOS
	serverLab(t, func(l *lab) {
		spec := l.standard()
		spec.Firmware = machine.BIOS
		l.bootReady(spec)
		l.kubectl("get", "--raw", "/readyz")
	})
}

func TestSmallMachine(t *testing.T) {
	serverLab(t, func(l *lab) {
		spec := l.standard()
		if spec.Memory = 512; l.arch == "amd64" {
			spec.CPUs = 1 // of an emulated 64-bit ARM, one does not get on with the work below
		}
		l.bootReady(spec)
		l.apply("workload.yaml")
		l.wait("rollout", "status", "deployment/web")
		l.waitForCoreDNS()
		l.hadMemory()
	})
}

// hadMemory looks whether there was enough.
func (l *lab) hadMemory() {
	l.Helper()
	if lines := l.machine.Console.Matching(console.OutOfMemory); len(lines) > 0 {
		l.Errorf("the machine ran out of memory: %q", lines)
	}
}
