package boottest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/machined/api/client"
	"github.com/coracle-os/coracle/machined/api/machinepb"
	"github.com/coracle-os/coracle/tools/vm/device"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

const (
	targetSerial  = "TARGET"
	stickSize     = 2 * gib
	installWithin = 10 * time.Minute // 200 MB written and read back, in emulation
)

// installedLine is what a machine prints when it is, before it restarts.
var installedLine = regexp.MustCompile(`machined: the machine goes down, restart: Coracle is installed on /dev/vdb`)

// TestInstall starts a machine from a stick, gives it a config that selects its disk, and starts it from that. Started from the stick
// again it says to take it out; and in another machine, whose disk holds something, the stick is somebody else and leaves that alone.
func TestInstall(t *testing.T) {
	onlyInAll(t)
	newLab(t, stickSize, func(l *lab) {
		target := filepath.Join(l.dev.Dir, "target.img")
		l.emptyDisk(target, diskSize)
		fingerprint := l.install(target)

		l.boot(l.withTarget(target))
		l.waitInstall(l.api(), "installed", "but the machine was started from another disk")
		if again := l.fingerprint(); again != fingerprint {
			l.Errorf("started from the stick again, the fingerprint is %s, was %s", again, fingerprint)
		}
		l.powerOff()

		stick := filepath.Join(l.dev.Dir, "stick.img")
		if err := errors.Join(os.Rename(l.dev.Disk(), stick), os.Rename(target, l.dev.Disk())); err != nil {
			l.Fatal(err)
		}
		l.bootReady(l.small())
		l.source("DATA")
		if here := l.fingerprint(); here != fingerprint {
			l.Errorf("on the disk the fingerprint is %s, was %s", here, fingerprint)
		}
		api := l.api()
		s := l.status(api)
		if s.Install != nil || s.Slot != "a" || s.Data.TotalBytes < diskSize/2 || slices.ContainsFunc(s.Conditions, isInstall) {
			l.Errorf("the status of the installed machine is %v", s)
		}
		_, err := applyConfig(l.within(answerWithin), api, &machinepb.ApplyConfigRequest{Config: l.installConfig("other")})
		if err != nil {
			l.Errorf("a config that selects another disk, on a machine that was installed: %v", err)
		}
		l.powerOff()

		if err := os.Rename(stick, l.dev.Disk()); err != nil {
			l.Fatal(err)
		}
		l.emptyDisk(target, diskSize)
		l.put(target, "XFSB")
		before := l.hash(target)
		l.boot(l.withTarget(target))
		if other := l.fingerprint(); other == fingerprint {
			l.Error("the stick brings the identity of the first machine to a second")
		}
		l.waitInstall(l.api(), "waiting", "it holds XFS")
		l.machine.PullPlug()
		if after := l.hash(target); after != before {
			l.Error("a disk that holds something was changed")
		}
	})
}

// install has a machine that has no config installed on its empty disk, and returns its fingerprint.
func (l *lab) install(target string) string {
	l.Helper()
	l.boot(l.withTarget(target))
	api := l.api()
	config := l.installConfig(targetSerial)
	dry, err := applyConfig(l.within(answerWithin), api, &machinepb.ApplyConfigRequest{Config: config, DryRun: true})
	if err != nil || !slices.ContainsFunc(dry.Effects, func(e string) bool {
		return strings.Contains(e, "Coracle is copied to /dev/vdb") && strings.Contains(e, "the disk is empty")
	}) {
		l.Errorf("dry run: %v, %v", dry.GetEffects(), err)
	}
	if _, err := applyConfig(l.within(answerWithin), api, &machinepb.ApplyConfigRequest{Config: config}); err != nil {
		l.Fatal(err)
	}
	fingerprint := l.fingerprint()
	if _, err := l.machine.Console.Wait(l.within(installWithin), installedLine); err != nil {
		l.Fatal(err)
	}
	l.Logf("installed after %.0f s", l.machine.Age().Seconds())
	select {
	case <-l.machine.Ended():
	case <-l.within(shutDownIn).Done():
		l.Fatal("the machine stays where it is instead of restarting")
	}
	if err := l.machine.Err(); !errors.Is(err, machine.ErrRebooted) {
		l.Errorf("the machine ended because %v, want a restart", err)
	}
	for _, m := range l.machine.Console.Milestones() {
		if m.Name == "kube" {
			l.Error("Kubernetes was started on the stick")
		}
	}
	return fingerprint
}

// installConfig selects the disk with that serial number.
func (l *lab) installConfig(serial string) []byte {
	return l.dev.ServerConfig(fmt.Sprintf("  install: {disk: {serial: %s}}\n", serial))
}

// withTarget is a small machine with a second disk.
func (l *lab) withTarget(target string) machine.Spec {
	spec := l.small()
	spec.Disks = []machine.Disk{{Path: target, Serial: targetSerial}}
	return spec
}

func (l *lab) fingerprint() string {
	l.Helper()
	fingerprint, err := device.Fingerprint(l.within(readyWithin), l.machine)
	if err != nil {
		l.Fatal(err)
	}
	return fingerprint
}

func isInstall(c *machinepb.Condition) bool { return c.Id == "install" }

// waitInstall waits until the machine is at a step of an installation, and says text.
func (l *lab) waitInstall(api *client.Client, step, text string) {
	l.Helper()
	l.eventually("the condition install", func() error {
		s := l.status(api)
		if s.GetInstall().GetStep() == step && s.Kube.Pid == 0 && slices.ContainsFunc(s.Conditions, func(c *machinepb.Condition) bool {
			return isInstall(c) && strings.Contains(c.Message, text)
		}) {
			return nil
		}
		return fmt.Errorf("install: %v, conditions: %v", s.Install, s.Conditions)
	})
}

func (l *lab) emptyDisk(path string, size int64) {
	l.Helper()
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
		l.Fatal(err)
	}
}

// put writes text at the start of a disk.
func (l *lab) put(path, text string) {
	l.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		l.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) hash(path string) (sum [sha256.Size]byte) {
	l.Helper()
	f, err := os.Open(path)
	if err != nil {
		l.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		l.Fatal(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
