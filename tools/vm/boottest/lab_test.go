package boottest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/tools/vm/device"
	"github.com/coracle-os/coracle/tools/vm/disk"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

const (
	gib          = 1 << 30
	diskSize     = 8 * gib
	nodePort     = 30080
	readyWithin  = 10 * time.Minute // a boot takes 90 s without acceleration on two cores; CI may have slower ones
	workWithin   = 10 * time.Minute // a slow host takes twice as long as a quiet one
	shutDownIn   = 2 * time.Minute
	busyboxImage = "coracle.local/busybox:1" // images/containers/busybox.yml
)

// out is the folder with what was built.
func out() string {
	if dir := os.Getenv("CORACLE_OUT"); dir != "" {
		return dir
	}
	return "../../../_out"
}

// image is the disk image under test. Without it the test is skipped, or fails when one is required.
func image(t *testing.T, arch string) string {
	t.Helper()
	return imageCalled(t, arch, "ARCH="+arch)
}

// imageCalled is image for another than an architecture's plain one. settings are those of `make image` for it.
func imageCalled(t *testing.T, name, settings string) string {
	t.Helper()
	path := filepath.Join(out(), "coracle-"+name+".img")
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CORACLE_REQUIRE_IMAGE") == "1" {
			t.Fatalf("no image to test: %v; `make image %s` builds it", err, settings)
		}
		t.Skipf("no image to test: %v; `make image %s` builds it", err, settings)
	}
	return path
}

// all is whether this is `make test-all`.
func all() bool { return os.Getenv("CORACLE_TEST_ALL") == "1" }

// onlyInAll skips what `make test` leaves to `make test-all`.
func onlyInAll(t *testing.T) {
	t.Helper()
	if !all() {
		t.Skip("CORACLE_TEST_ALL=1 runs this")
	}
}

// lab is a device on the bench, with its owner at the keyboard.
type lab struct {
	*testing.T
	attempt *attempt
	arch    string // of the image
	dev     *device.Device
	machine *machine.Machine // of the last boot
}

// testArch is the architecture of the tests that are for any.
func testArch() string {
	if arch := os.Getenv("CORACLE_TEST_ARCH"); arch != "" {
		return arch
	}
	return "amd64"
}

// onlyFor skips a test of what other architectures do not have.
func onlyFor(t *testing.T, arch string) {
	t.Helper()
	if testArch() != arch {
		t.Skipf("for %s only", arch)
	}
}

// newLab runs a test with a device: a disk of size bytes to which the image was flashed.
func newLab(t *testing.T, size int64, test func(l *lab)) {
	t.Helper()
	flashedLab(t, testArch(), image(t, testArch()), size, test)
}

// flashedLab runs a test with a device of an architecture, to which an image was flashed.
func flashedLab(t *testing.T, arch, image string, size int64, test func(l *lab)) {
	t.Helper()
	clean(t)
	inAttempts(t, func(l *lab) {
		l.arch = arch
		dev, err := device.Flash(l.machineDir(), image, size)
		if err != nil {
			l.Fatal(err)
		}
		l.dev = dev
		test(l)
	})
}

// serverLab runs a test with a device that is configured as a server.
func serverLab(t *testing.T, test func(l *lab)) {
	t.Helper()
	serverLabOf(t, testArch(), test)
}

// serverLabOf is serverLab for an architecture.
func serverLabOf(t *testing.T, arch string, test func(l *lab)) {
	t.Helper()
	flashedLab(t, arch, image(t, arch), diskSize, func(l *lab) {
		l.configure(string(l.dev.ServerConfig("")))
		test(l)
	})
}

// dirOf is the test's machine folder, in the folder of what was built: /tmp is in memory on some hosts, and disks are large.
func dirOf(t *testing.T) string {
	return filepath.Join(out(), "boottest", strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()))
}

// clean removes what earlier runs of the test have left.
func clean(t *testing.T) {
	t.Helper()
	doomed, err := filepath.Glob(dirOf(t) + "-attempt*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range doomed {
		if pid, err := machine.Running(path); pid != 0 || err != nil {
			t.Fatalf("another test runs a machine in %s (process %d, %v): wait for it, or end it", path, pid, err)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}

// machineDir is the machine's folder. The logs of an attempt that did not pass stay.
func (l *lab) machineDir() string {
	dir := dirOf(l.T)
	l.Cleanup(func() { l.discard(dir) })
	return dir
}

// discard removes a machine's folder, or only its disks.
func (l *lab) discard(dir string) {
	doomed := []string{dir}
	if l.Failed() || l.Skipped() {
		doomed, _ = filepath.Glob(filepath.Join(dir, "*.img"))
	}
	for _, path := range doomed {
		if err := os.RemoveAll(path); err != nil {
			l.T.Error(err)
		}
	}
}

func (l *lab) configure(config string) {
	l.Helper()
	if err := l.dev.Configure([]byte(config)); err != nil {
		l.Fatal(err)
	}
}

// standard is the machine that most tests run on, with the volume that has the test's container image.
func (l *lab) standard() machine.Spec {
	cpus := 2
	if l.arch == "armhf" {
		cpus = 1 // QEMU is slower with two: it spends its time on translating addresses anew
	}
	return machine.Spec{
		Arch: l.arch, Memory: 2048, CPUs: cpus, Firmware: machine.UEFI, Network: machine.NAT, Forward: []int{nodePort},
		Disks: []machine.Disk{{Path: l.volume(), ReadOnly: true}},
	}
}

// busyboxArchive is the archive of busyboxImage.
func busyboxArchive(arch string) string { return filepath.Join(out(), "test", arch, "busybox.tar") }

// volume makes the volume labelled CORACLE from which the machine imports busybox.
func (l *lab) volume() string {
	l.Helper()
	path := filepath.Join(l.dev.Dir, "volume.img")
	if err := disk.Volume(path, []disk.File{{Name: "images/busybox.tar", Path: busyboxArchive(l.arch)}}); err != nil {
		l.Fatalf("%v; `make image` builds it", err)
	}
	return path
}

// boot switches the device on. When the attempt does not pass, what the machine wrote is shown.
func (l *lab) boot(spec machine.Spec) {
	l.Helper()
	m, err := l.dev.Boot(l.within(time.Minute), spec)
	if err != nil {
		l.Fatal(err)
	}
	l.machine = m
	l.attempt.machines = append(l.attempt.machines, m)
	l.Cleanup(func() {
		m.PullPlug()
		if l.Failed() || l.Skipped() {
			l.Log(m.Report())
		}
	})
}

// bootReady switches the device on and waits until its node is Ready.
func (l *lab) bootReady(spec machine.Spec) {
	l.Helper()
	l.boot(spec)
	l.milestone("node-ready", readyWithin)
	l.Logf("Ready after %.1f s", l.machine.Age().Seconds())
	if spec.Network == machine.NAT {
		l.fetchKubeconfig()
	}
}

func (l *lab) milestone(name string, d time.Duration) {
	l.Helper()
	if _, err := l.machine.Console.WaitMilestone(l.within(d), name); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) kubeconfigPath() string { return filepath.Join(l.dev.Dir, "kubeconfig") }

func (l *lab) fetchKubeconfig() {
	l.Helper()
	kubeconfig, err := l.dev.Kubeconfig(l.within(workWithin), l.machine)
	if err != nil {
		l.Fatal(err)
	}
	if err := os.WriteFile(l.kubeconfigPath(), kubeconfig, 0o600); err != nil {
		l.Fatal(err)
	}
}

func (l *lab) within(d time.Duration) context.Context {
	if l.arch == "armhf" {
		d *= 2 // QEMU is several times as slow with it as with the others
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), d, fmt.Errorf("not within %s", d))
	l.Cleanup(cancel)
	return ctx
}

// eventually calls there until it is nil: for what kubectl cannot wait for.
func (l *lab) eventually(what string, there func() error) {
	l.Helper()
	ctx := l.within(workWithin)
	for {
		err := there()
		if err == nil {
			return
		}
		select {
		case <-time.After(time.Second):
		case <-l.machine.Console.Failed():
			l.Fatalf("%s: %v", what, l.machine.Console.Err())
		case <-ctx.Done():
			l.Fatalf("%s: %v: %v", what, context.Cause(ctx), err)
		}
	}
}

// sub runs a part of a test on the same machine.
func (l *lab) sub(name string, test func(l *lab)) {
	l.Helper()
	l.Run(name, func(t *testing.T) {
		part := *l
		part.T = t
		test(&part)
	})
	l.excuse(0, "in "+name)
}
