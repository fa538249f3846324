package machine

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestArguments(t *testing.T) {
	base := Spec{Dir: "/m", Memory: 512, CPUs: 1, Firmware: BIOS, Network: None}
	for _, c := range []struct {
		name   string
		change func(*Spec)
		host   host
		want   []string // each stands in the joined command line
		not    []string
	}{
		{"TCG", func(*Spec) {}, host{}, []string{"-accel tcg,thread=multi,tb-size=1024 -cpu max", "-m 512", "-smp 1", "-no-reboot", "-nic none", "-rtc base=utc"}, []string{"pflash", "kvm"}},
		{"64-bit ARM", func(s *Spec) { s.Arch, s.Firmware = "arm64", UEFI }, host{uefi: uefiFiles{"/fw/code", "/fw/vars"}},
			[]string{"-machine virt ", "-cpu cortex-a72", "virtio-rng-pci", "readonly=on,file=/fw/code"}, []string{"q35", "vga"}},
		{"32-bit ARM", func(s *Spec) { s.Arch, s.Firmware = "armhf", UEFI }, host{uefi: uefiFiles{code: "/fw/u-boot.bin"}},
			[]string{"-machine virt,highmem=off", "-cpu cortex-a7", "virtio-rng-pci", "-bios /fw/u-boot.bin"}, []string{"pflash", varsName}},
		{"Raspberry Pi", func(s *Spec) {
			s.Arch, s.Board, s.Firmware, s.Memory, s.CPUs, s.Network = "arm64", RaspberryPi3B, UBoot, 1024, 4, NAT
			s.Disks = []Disk{{Path: "/card"}}
		}, host{}, []string{"-machine raspi3b", "-kernel u-boot.bin", "-serial null -serial chardev:console", "if=sd,", "-device usb-net,netdev=net"}, []string{"pci", "virtio"}},
		{"KVM", func(*Spec) {}, host{kvm: true}, []string{"-accel kvm -cpu host"}, []string{"tcg"}},
		{"UEFI", func(s *Spec) { s.Firmware = UEFI }, host{uefi: uefiFiles{"/fw/code", "/fw/vars"}}, []string{"readonly=on,file=/fw/code", "unit=1,format=raw,file=uefi-vars.fd"}, nil},
		{"kernel", func(s *Spec) { s.Kernel = &Kernel{Image: "k", Initrd: "i", Arguments: "a b"} }, host{}, []string{"-kernel k -initrd i -append a b"}, []string{"pflash"}},
		{"disks", func(s *Spec) { s.Disks = []Disk{{Path: "/a,b"}, {Path: "/c", ReadOnly: true, Serial: "S1"}} }, host{},
			[]string{"file=/a,,b -device virtio-blk-pci,drive=disk0,bootindex=1", "file=/c,readonly=on", "drive=disk1,bootindex=2,serial=S1"}, nil},
		{"forwarded ports", func(s *Spec) { s.Network, s.Forward = NAT, []int{6443, 50000} }, host{ports: map[int]int{6443: 1111, 50000: 2222}},
			[]string{"hostfwd=tcp:127.0.0.1:1111-:6443,hostfwd=tcp:127.0.0.1:2222-:50000"}, nil},
		{"no DHCP", func(s *Spec) { s.Network = Silent }, host{}, []string{"hubport", "virtio-net-pci"}, []string{"user"}},
		{"further interfaces", func(s *Spec) { s.Network, s.Links = NAT, 2 }, host{},
			[]string{"romfile=,netdev=net -netdev hubport,hubid=1,id=link0 -device virtio-net-pci,netdev=link0,romfile=,mac=52:54:00:c0:ac:00",
				"netdev=link1,romfile=,mac=52:54:00:c0:ac:01"}, []string{"link2", "hubid=0"}},
		{"a cable", func(s *Spec) { s.Network, s.Cable = NAT, &Cable{"52:54:00:c0:ac:f0", 1111, 2222} }, host{},
			[]string{"-netdev socket,id=cable,udp=127.0.0.1:2222,localaddr=127.0.0.1:1111 -device virtio-net-pci,netdev=cable,romfile=,mac=52:54:00:c0:ac:f0"}, nil},
		{"no further interface", func(s *Spec) { s.Network = NAT }, host{}, nil, []string{"hubport", "cable"}},
		{"1970", func(s *Spec) { s.Clock = time.Unix(60, 0) }, host{}, []string{"-rtc base=1970-01-01T00:01:00"}, nil},
		{"watchdog", func(s *Spec) { s.Watchdog = true }, host{}, []string{"-device i6300esb -action watchdog=reset", "-no-reboot"}, nil},
		{"no watchdog", func(*Spec) {}, host{}, nil, []string{"i6300esb", "watchdog"}},
		{"may reboot", func(s *Spec) { s.Reboots = true }, host{}, nil, []string{"-no-reboot"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := base
			c.change(&spec)
			if err := spec.check(); err != nil {
				t.Fatal(err)
			}
			b, err := boardOf(spec.Board, spec.Arch)
			if err != nil {
				t.Fatal(err)
			}
			c.host.board = b
			line := strings.Join(spec.arguments(c.host), " ")
			for _, want := range c.want {
				if !strings.Contains(line, want) {
					t.Errorf("lacks %q: %s", want, line)
				}
			}
			for _, not := range c.not {
				if strings.Contains(line, not) {
					t.Errorf("has %q: %s", not, line)
				}
			}
		})
	}
}

func TestCheck(t *testing.T) {
	good := Spec{Dir: "/m", Memory: 512, CPUs: 1, Firmware: UEFI, Network: NAT}
	for _, c := range []struct {
		name   string
		change func(*Spec)
		want   string
	}{
		{"no folder", func(s *Spec) { s.Dir = "" }, "no folder"},
		{"memory", func(s *Spec) { s.Memory = 8 }, "8 MiB"},
		{"CPUs", func(s *Spec) { s.CPUs = 0 }, "0 CPUs"},
		{"architecture", func(s *Spec) { s.Arch = "riscv64" }, `"riscv64"`},
		{"another board", func(s *Spec) { s.Board = "raspi9" }, `"raspi9"`},
		{"memory of 32 bits", func(s *Spec) { s.Arch, s.Memory = "armhf", 4096 }, "3072 at most"},
		{"memory of a board", func(s *Spec) { s.Arch, s.Board, s.Firmware, s.CPUs = "arm64", RaspberryPi3B, UBoot, 4 }, "has 1024 MiB"},
		{"firmware of another architecture", func(s *Spec) { s.Arch, s.Firmware = "arm64", BIOS }, `"bios"`},
		{"firmware", func(s *Spec) { s.Firmware = "efi" }, `"efi"`},
		{"network", func(s *Spec) { s.Network = "user" }, `"user"`},
		{"too many interfaces", func(s *Spec) { s.Links = 9 }, "9 further network interfaces"},
		{"fewer than no interfaces", func(s *Spec) { s.Links = -1 }, "-1 further network interfaces"},
		{"ports without network", func(s *Spec) { s.Network, s.Forward = None, []int{1} }, "cannot be forwarded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := good
			c.change(&spec)
			if err := spec.check(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}

func TestNewCable(t *testing.T) {
	a, b, err := NewCable()
	if err != nil || a.Local != b.Remote || a.Remote != b.Local || a.Local == a.Remote || a.MAC == b.MAC {
		t.Errorf("%+v, %+v, %v", a, b, err)
	}
}

func TestFreePorts(t *testing.T) {
	ports, err := freePorts([]int{6443, 50000, 30080})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for guest, port := range ports {
		if seen[port] {
			t.Errorf("port %d twice", port)
		}
		seen[port] = true
		l, err := net.Listen("tcp4", (&Machine{ports: ports}).Address(guest))
		if err != nil {
			t.Errorf("port for %d is not free: %v", guest, err)
			continue
		}
		l.Close()
	}
	if len(ports) != 3 {
		t.Errorf("got %v", ports)
	}
}

// start runs QEMU with an empty disk: firmware only, which takes seconds.
func start(t *testing.T, spec Spec) *Machine {
	t.Helper()
	if _, err := exec.LookPath(boards[0].qemu); err != nil {
		t.Skip(err)
	}
	if _, err := boards[0].findUEFI(); err != nil {
		t.Skip(err)
	}
	empty := filepath.Join(spec.Dir, DiskName)
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(empty, 1<<20); err != nil {
		t.Fatal(err)
	}
	spec.Memory, spec.CPUs, spec.Firmware, spec.Network = 128, 1, UEFI, None
	spec.Disks = []Disk{{Path: empty}}
	m, err := Start(within(t, 30*time.Second), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.PullPlug)
	return m
}

func TestVirtualizes(t *testing.T) {
	for cpuinfo, want := range map[string]bool{
		"processor\t: 0\nvmx flags\t: vnmi ept\nflags\t\t: fpu vme vmx sse\n": true,
		"flags\t\t: fpu svm\n":                   true,
		"flags\t\t: fpu vme hypervisor vmxnet\n": false,
		"":                                       false,
		"model name\t: vmx svm\nflags\t\t: fpu\n": false,
	} {
		if got := virtualizes(cpuinfo); got != want {
			t.Errorf("%q: %v", cpuinfo, got)
		}
	}
}

func TestNothingToBoot(t *testing.T) {
	m := start(t, Spec{Dir: t.TempDir()})
	_, err := m.Console.WaitMilestone(within(t, 2*time.Minute), "kernel")
	if err == nil || !strings.Contains(err.Error(), "UEFI found nothing to boot") {
		t.Errorf("got %v\n%s", err, m.Report())
	}
}

func TestRunningAndSwitchOff(t *testing.T) {
	dir := t.TempDir()
	if pid, err := Running(dir); pid != 0 || err != nil {
		t.Errorf("before: %d, %v", pid, err)
	}
	m := start(t, Spec{Dir: dir})
	if pid, err := Running(dir); pid != m.PID() || err != nil {
		t.Errorf("Running says %d, %v; QEMU is %d", pid, err, m.PID())
	}
	if _, err := Start(within(t, time.Second), m.spec); err == nil || !strings.Contains(err.Error(), "already runs") {
		t.Errorf("started twice: %v", err)
	}
	// The firmware alone does not heed the power button.
	graceful, err := SwitchOff(within(t, time.Second), dir)
	if graceful || err != nil {
		t.Errorf("SwitchOff: %v, %v", graceful, err)
	}
	select {
	case <-m.Ended():
	case <-time.After(10 * time.Second):
		t.Fatal("QEMU lives on")
	}
	if err := m.Err(); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("the end's reason: %v", err)
	}
	if _, err := SwitchOff(within(t, time.Second), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("SwitchOff of a machine that is off: %v", err)
	}
}

func TestPullPlug(t *testing.T) {
	m := start(t, Spec{Dir: t.TempDir()})
	m.PullPlug()
	m.PullPlug()
	if !errors.Is(m.Err(), ErrUnplugged) {
		t.Errorf("got %v", m.Err())
	}
	// What it printed is kept beside the next boot's.
	again := start(t, Spec{Dir: m.spec.Dir})
	names, err := filepath.Glob(filepath.Join(again.spec.Dir, "*"+OldSuffix))
	if err != nil || !slices.ContainsFunc(names, func(n string) bool { return filepath.Base(n) == ConsoleName+OldSuffix }) {
		t.Errorf("logs kept: %q, %v", names, err)
	}
}

func TestScreenshot(t *testing.T) {
	m := start(t, Spec{Dir: t.TempDir()})
	file := filepath.Join(t.TempDir(), "screen.png")
	if err := m.QMP().Screenshot(within(t, 30*time.Second), file); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(b), "\x89PNG") {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestQEMURefuses(t *testing.T) {
	if _, err := exec.LookPath(boards[0].qemu); err != nil {
		t.Skip(err)
	}
	_, err := Start(within(t, 30*time.Second), Spec{Dir: t.TempDir(), Memory: 128, CPUs: 1, Firmware: BIOS, Network: None,
		Disks: []Disk{{Path: "/nonexistent/disk.img"}}})
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/disk.img") {
		t.Errorf("got %v, want QEMU's own words", err)
	}
}
