package boottest

import (
	"path/filepath"
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
		l.sub("Architecture", func(l *lab) {
			if got := strings.TrimSpace(l.kubectl("get", "nodes", "-o", "jsonpath={.items[*].status.nodeInfo.architecture}")); got != "arm64" {
				l.Errorf("the node says %q", got)
			}
		})
		l.sub("PowerButton", testPowerButton)
	})
}

// TestRaspberryPi boots the image for SD cards on what QEMU has of a Raspberry Pi, from U-Boot on, to a Ready node, and again after the plug
// was pulled. There is no network: the kernel does not get on with the USB of QEMU's.
func TestRaspberryPi(t *testing.T) {
	onlyInAll(t)
	flashedLab(t, "arm64", filepath.Join(out(), "coracle-rpi-arm64.img"), diskSize, func(l *lab) {
		l.configure(string(l.dev.ServerConfig("")))
		if err := l.dev.SetArguments(machine.RaspberryPiArguments); err != nil {
			l.Fatal(err)
		}
		card := machine.Spec{
			Arch: "arm64", Board: machine.RaspberryPi3B, Memory: machine.RaspberryPi3BMemory, CPUs: machine.RaspberryPi3BCPUs, Firmware: machine.UBoot,
			Network: machine.None,
		}
		l.bootReady(card)
		l.says(`machined: milestone config machine.yaml on the BOOT partition`)
		l.machine.PullPlug()
		l.bootReady(card)
		l.says(`machined: milestone config DATA`)
	})
}
