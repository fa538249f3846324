package boottest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/tools/vm/machine"
)

// TestDevices has a pod without privilege write to a serial adapter at USB, which another cannot have meanwhile. The stick that the machine
// runs from is at USB too, and not for pods.
func TestDevices(t *testing.T) {
	onlyInAll(t)
	serverLab(t, func(l *lab) {
		spec := l.single()
		spec.Adapter, spec.Stick = true, true
		l.bootReady(spec)
		l.apply("devices.yaml")
		l.wait("wait", "--for=condition=Ready", "pod/meter")
		l.sent("42 kWh")
		if got, want := strings.TrimSpace(l.kubectl("logs", "meter")), "/dev/ttyUSB0\nQEMU USB SERIAL"; got != want {
			l.Errorf("the pod sees %q, want %q", got, want)
		}
		l.apply("devices-second.yaml")
		l.eventually("another pod waits for the port", func() error {
			got, err := l.try("get", "pod", "second", "-o", "jsonpath={.status.conditions[?(@.type=='PodScheduled')].message}")
			if err == nil && !strings.Contains(got, "Insufficient coracle.dev/serial") {
				err = fmt.Errorf("the scheduler says %q", got)
			}
			return err
		})
		l.kubectl("delete", "pod", "meter", "--now")
		l.wait("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/second")
		l.sent("43 kWh")
	})
}

// sent waits until a text came out of the serial adapter.
func (l *lab) sent(text string) {
	l.Helper()
	l.eventually(text+" out of the serial adapter", func() error {
		got, err := os.ReadFile(filepath.Join(l.dev.Dir, machine.AdapterName))
		if err == nil && !bytes.Contains(got, []byte(text)) {
			err = fmt.Errorf("it has sent %q", got)
		}
		return err
	})
}
