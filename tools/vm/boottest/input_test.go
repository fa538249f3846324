package boottest

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/tools/vm/disk"
	"github.com/coracle-os/coracle/tools/vm/machine"
)

// says waits for a line on the console, and checks that the machine stays on: it waits for a person.
func (l *lab) says(pattern string) {
	l.Helper()
	line, err := l.machine.Console.Wait(l.within(readyWithin), regexp.MustCompile(pattern))
	if err != nil {
		l.Fatal(err)
	}
	l.Log(line.Text)
}

func TestNoConfig(t *testing.T) {
	newLab(t, diskSize, func(l *lab) {
		l.boot(l.standard())
		l.says(`machined: .*put a file machine\.yaml on the BOOT partition`)
		l.says(fingerprint)
		if err := l.machine.PowerOff(l.within(shutDownIn)); err != nil {
			l.Error(err)
		}
	})
}

// fingerprint is what a person needs to reach the machine.
const fingerprint = `machined: API on :50000, fingerprint SHA256:`

func TestBadConfig(t *testing.T) {
	newLab(t, diskSize, func(l *lab) {
		l.configure(strings.Replace(string(l.dev.ServerConfig("")), "role: server", "rolle: server", 1))
		l.boot(l.standard())
		// The fourth line, and what was meant.
		l.says(`machined: .*machine\.yaml:4.*rolle.*role`)
		l.says(fingerprint)
	})
}

func TestSmallDisk(t *testing.T) {
	newLab(t, 0, func(l *lab) { // of the image's own size: no room for slot B and DATA
		l.configure(string(l.dev.ServerConfig("")))
		l.boot(l.standard())
		l.says(`machined: .*too small: .*use a disk of at least \d+ MiB`)
		l.says(fingerprint)
	})
}

func TestNoNetwork(t *testing.T) {
	serverLab(t, func(l *lab) {
		spec := l.standard()
		spec.Network, spec.Forward = machine.None, nil
		l.bootReady(spec)
	})
}

func TestNoDHCP(t *testing.T) {
	onlyInAll(t)
	serverLab(t, func(l *lab) {
		spec := l.standard()
		spec.Network, spec.Forward = machine.Silent, nil
		l.boot(spec)
		l.says(`machined: .*DHCP`)
		l.milestone("node-ready", readyWithin)
	})
}

// TestClockAt1970 boots a machine whose clock has no battery, and which cannot ask for the time.
func TestClockAt1970(t *testing.T) {
	onlyInAll(t)
	newLab(t, diskSize, func(l *lab) {
		l.configure(string(l.dev.ServerConfig("  time:\n    servers: [192.0.2.1]\n"))) // TEST-NET-1: nobody is there
		spec := l.standard()
		spec.Clock = time.Unix(100, 0)
		l.bootReady(spec)
		l.apply("workload.yaml")
		l.wait("rollout", "status", "deployment/web")
		text := l.kubectl("exec", "client", "--", "date", "-u", "+%Y")
		if year := strings.TrimSpace(text); year < "2024" {
			l.Errorf("the machine lives in %s", year)
		}
	})
}

// TestDamagedData destroys the primary superblock of DATA between two boots; ext4 has copies.
func TestDamagedData(t *testing.T) {
	onlyInAll(t)
	serverLab(t, func(l *lab) {
		l.bootReady(l.standard())
		before := l.identity()
		l.machine.PullPlug()

		data, err := disk.Partition(l.dev.Disk(), disk.Data)
		if err != nil {
			l.Fatal(err)
		}
		f, err := os.OpenFile(l.dev.Disk(), os.O_RDWR, 0)
		if err != nil {
			l.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 1024), data.Start+1024); err != nil {
			l.Fatal(err)
		}
		l.bootReady(l.standard())
		l.says(`machined: .*(repair|e2fsck)`)
		if after := l.identity(); after != before {
			l.Errorf("after the repair the identity is %+v, was %+v", after, before)
		}
	})
}

// TestFullData fills DATA to the last byte; the machine says so, and after a power cut becomes Ready all the same.
func TestFullData(t *testing.T) {
	onlyInAll(t)
	newLab(t, 3*gib, func(l *lab) {
		l.configure(string(l.dev.ServerConfig("")))
		l.bootReady(l.standard())
		l.apply("workload.yaml")
		l.wait("wait", "--for=condition=Ready", "pod/client")
		l.inPod("sh", "-c", "cd /proc/1/root/var && dd if=/dev/zero of=full bs=1M; dd if=/dev/zero of=fuller bs=512; sync")
		l.says(`machined: .*(DATA|/var).*full`)
		l.machine.PullPlug()
		l.boot(l.standard())
		l.says(`machined: .*(DATA|/var).*full`)
		l.says(fingerprint)
	})
}
