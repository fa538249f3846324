package boottest

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/tools/vm/disk"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// TestRaspberryPi boots the image for SD cards on what QEMU has of a Raspberry Pi, from U-Boot on, to a Ready node, and again after the plug
// was pulled; then a version that is good, and one that is not. There is no network: the kernel does not get on with the USB of QEMU's.
// So versions are put into slots as machined leaves them when it took one.
func TestRaspberryPi(t *testing.T) {
	onlyInAll(t)
	onlyFor(t, "arm64") // QEMU's 32-bit Raspberry Pi hangs in U-Boot
	flashedLab(t, testArch(), filepath.Join(out(), "coracle-rpi-"+testArch()+".img"), diskSize, func(l *lab) {
		l.configure(string(l.dev.ServerConfig(quickTrial)))
		if err := l.dev.SetArguments(machine.RaspberryPiArguments); err != nil {
			l.Fatal(err)
		}
		card := machine.Spec{
			Arch: l.arch, Board: machine.RaspberryPi3B, Memory: machine.RaspberryPi3BMemory, CPUs: machine.RaspberryPi3BCPUs, Firmware: machine.UBoot,
			Network: machine.None,
		}
		l.bootReady(card)
		l.says(`machined: milestone config machine.yaml on the BOOT partition`)
		l.machine.PullPlug()
		l.bootReady(card)
		l.says(`machined: milestone config DATA`)
		l.machine.PullPlug() // it has no power button

		next := built(l.T, nextVersion)
		l.place(next, "b")
		l.bootReady(card)
		l.says(`machined: .*Version ` + regexp.QuoteMeta(next.version) + ` is confirmed`)
		l.machine.PullPlug()
		if s := l.environment(); s != (grubenv.State{Active: "b"}) {
			l.Errorf("the boot loader's state is %+v", s)
		}

		l.place(remake(l.T, l.dev.Dir, next, "0.2.2", brokenRoot), "a")
		l.boot(card)
		l.restarted() // by itself
		l.boot(card)
		l.says(`machined: .*[Rr]olled back.*not what root hash`)
	})
}

// place puts an artifact's image into a slot and arms it, as machined does, on a machine that is off.
func (l *lab) place(c candidate, slot string) {
	l.Helper()
	a, _ := c.open(l.T)
	image := filepath.Join(l.dev.Dir, "slot.img")
	if err := unpackTo(image, a.Image); err != nil {
		l.Fatal(err)
	}
	defer os.Remove(image)
	if err := l.armed(image, a.Manifest, slot); err != nil {
		l.Fatalf("put %s into slot %s: %v", c.version, slot, err)
	}
	before := map[string]string{"a": "b", "b": "a"}[slot]
	block, err := grubenv.State{Active: before, Try: slot}.Block()
	if err != nil {
		l.Fatal(err)
	}
	l.setEnvironment(block)
}

func (l *lab) armed(image string, m artifact.Manifest, slot string) error {
	where, err := disk.Partition(l.dev.Disk(), map[string]string{"a": disk.SlotA, "b": disk.SlotB}[slot])
	if err != nil {
		return err
	}
	content, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.dev.Disk(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	p := partition{f, where}
	_, err = p.WriteAt(content, 0)
	return errors.Join(err, record.Write(p, where.Size, record.Record{
		Version: m.Version, Kubernetes: m.Kubernetes, Size: m.Image.Size, Hash: m.Image.Hash, Phase: record.Armed, Deadline: 600, Confirm: 5, NodeReady: true,
	}), f.Close())
}

// partition is a part of a disk.
type partition struct {
	*os.File
	disk.Range
}

func (p partition) ReadAt(b []byte, at int64) (int, error)  { return p.File.ReadAt(b, p.Start+at) }
func (p partition) WriteAt(b []byte, at int64) (int, error) { return p.File.WriteAt(b, p.Start+at) }
