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

// TestRaspberryPi boots the image for SD cards on what QEMU has of a Raspberry Pi, from U-Boot on, and upgrades it.
func TestRaspberryPi(t *testing.T) {
	onlyInAll(t)
	flashedLab(t, "arm64", filepath.Join(out(), "coracle-rpi-arm64.img"), diskSize, func(l *lab) {
		l.configure(string(l.dev.ServerConfig(quickTrial)))
		if err := l.dev.SetArguments(machine.RaspberryPiArguments); err != nil {
			l.Fatal(err)
		}
		card := machine.Spec{
			Arch: "arm64", Board: machine.RaspberryPi3B, Memory: machine.RaspberryPi3BMemory, CPUs: machine.RaspberryPi3BCPUs, Firmware: machine.UBoot,
			Network: machine.NAT,
		}
		l.bootReady(card)
		api := l.api()
		if s := l.status(api); s.Board.GetModel() != "Raspberry Pi 3 Model B" {
			l.Errorf("the machine takes itself for a %v", s.Board)
		}
		identity := l.identity()
		next := builtIn(l.T, out(), nextVersion, "arm64")
		l.upgradeTo(api, next.path)
		l.bootReady(card)
		l.confirmed(l.api(), next.version)
		if after := l.identity(); after != identity {
			l.Errorf("after the upgrade the identity is %+v, was %+v", after, identity)
		}
	})
}
