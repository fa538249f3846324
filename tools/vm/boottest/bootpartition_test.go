package boottest

import (
	"bytes"
	"crypto/rand"
	"regexp"
	"testing"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/tools/vm/disk"
)

// TestBootPartition damages what is on BOOT, takes the config off it, and has a pod hold it while the machine is upgraded.
func TestBootPartition(t *testing.T) {
	onlyInAll(t)
	trialLab(t, func(l *lab) {
		l.bootReady(l.standard())
		l.apply("workload.yaml")
		l.wait("wait", "--for=condition=Ready", "pod/client")
		identity := l.identity()
		l.powerOff()
		if err := disk.RemoveBootFile(l.dev.Disk(), config.ImportedName); err != nil {
			l.Fatal(err)
		}
		random := make([]byte, grubenv.Size)
		rand.Read(random)
		for what, content := range map[string][]byte{
			"random": random, "zeros": make([]byte, grubenv.Size), "ones": bytes.Repeat([]byte{0xff}, grubenv.Size),
		} {
			l.setEnvironment(content)
			l.bootReady(l.standard())
			if s := l.upgradeState(l.api()); s.Slots[0].State != "running" || !s.Slots[0].Active || s.TrialRemaining != nil {
				l.Errorf("%s: the slots are %v", what, s)
			}
			if after := l.identity(); after != identity {
				l.Errorf("%s: the identity is %+v, was %+v", what, after, identity)
			}
			l.powerOff()
			if s := l.environment(); s != (grubenv.State{Active: "a"}) {
				l.Errorf("%s: the boot loader's state is %+v", what, s)
			}
		}

		next := built(l.T, nextVersion)
		l.bootReady(l.standard())
		l.holdBoot("rw")
		l.upgradeTo(l.api(), next.path)
		loader := l.ageBootLoader()
		l.bootReady(l.standard())
		l.holdBoot("ro")
		l.confirmed(l.api(), next.version)
		l.says(`machined: .*Boot files of ` + regexp.QuoteMeta(next.version) + ` are in place: ` + regexp.QuoteMeta(loader.name))
		l.powerOff()
		if now, err := disk.ReadBootFile(l.dev.Disk(), loader.name); err != nil || !bytes.Equal(now, loader.content) {
			l.Errorf("%s is not the version's: %d bytes, want %d (%v)", loader.name, len(now), len(loader.content), err)
		}
		if s := l.environment(); s != (grubenv.State{Active: "b"}) {
			l.Errorf("after the upgrade the boot loader's state is %+v", s)
		}
	})
}

// bootFile is a file on BOOT.
type bootFile struct {
	name    string
	content []byte
}

// ageBootLoader makes GRUB's file another one that starts, as if it were an earlier version's, and returns what it was.
func (l *lab) ageBootLoader() bootFile {
	l.Helper()
	f := bootFile{name: bootLoaders[l.arch]}
	var err error
	if f.content, err = disk.ReadBootFile(l.dev.Disk(), f.name); err != nil {
		l.Fatal(err)
	}
	if err := disk.WriteBootFile(l.dev.Disk(), f.name, append(bytes.Clone(f.content), 0, 0, 0, 0)); err != nil {
		l.Fatal(err)
	}
	return f
}

// bootLoaders is where UEFI finds a boot loader (UEFI specification 2.10, section 3.5.1.1).
var bootLoaders = map[string]string{"amd64": "EFI/BOOT/BOOTX64.EFI", "arm64": "EFI/BOOT/BOOTAA64.EFI", "armhf": "EFI/BOOT/BOOTARM.EFI"}

// holdBoot mounts BOOT in a pod, which stays.
func (l *lab) holdBoot(how string) {
	l.Helper()
	l.wait("wait", "--for=condition=Ready", "pod/client")
	l.eventually("mount BOOT in a pod", func() error {
		_, err := l.inPod("sh", "-c", "mkdir -p /held && mount -t vfat -o "+how+" /dev/vda1 /held && cat /held/coracle/grubenv* >/dev/null")
		return err
	})
}

func (l *lab) powerOff() {
	l.Helper()
	if err := l.machine.PowerOff(l.within(shutDownIn)); err != nil {
		l.Fatal(err)
	}
}

// setEnvironment replaces both files of the boot loader's state.
func (l *lab) setEnvironment(content []byte) {
	l.Helper()
	for _, name := range []string{"coracle/grubenv", "coracle/grubenv.copy"} {
		if err := disk.WriteBootFile(l.dev.Disk(), name, content); err != nil {
			l.Fatal(err)
		}
	}
}

// environment is the boot loader's state.
func (l *lab) environment() grubenv.State {
	l.Helper()
	block, err := disk.ReadBootFile(l.dev.Disk(), "coracle/grubenv")
	if err != nil {
		l.Fatal(err)
	}
	s, err := grubenv.Parse(block)
	if err != nil {
		l.Error(err)
	}
	return s
}
