package boottest

import "testing"

// TestRaspberryPi5 boots the image for the Raspberry Pi 5 in a virtual machine with UEFI, as QEMU has no such board: its kernel, its root's
// hash tree and its card, which has an MBR, from GRUB on, with work on it; and again after the plug was pulled.
func TestRaspberryPi5(t *testing.T) {
	onlyInAll(t)
	flashedLab(t, "arm64", imageCalled(t, "rpi5-arm64", "ARCH=arm64 FLAVOUR=rpi5"), diskSize, func(l *lab) {
		l.configure(string(l.dev.ServerConfig("")))
		l.bootReady(l.standard())
		l.apply("workload.yaml")
		l.wait("rollout", "status", "deployment/web")
		l.answersHost("http://" + l.machine.Address(nodePort) + "/")
		l.waitForCoreDNS()
		l.machine.PullPlug()
		l.bootReady(l.standard())
		l.says(`machined: milestone config DATA`)
	})
}
