// Package machine runs virtual machines in QEMU, for a person at the terminal, for boot tests and for benchmarks.
//
// A machine lives in a folder of its own, which holds everything that it needs and writes: see the file names below. It is
// started with [Start], any number of times on the same disk, one after the other.
package machine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Files in a machine's folder.
const (
	DiskName     = "disk.img"     // by convention the disk it boots from
	ConsoleName  = "console.log"  // serial console since power-on
	ServicesName = "services.log" // what the machine writes to /dev/hvc0
	AdapterName  = "adapter.log"  // what comes out of the serial adapter
	qmpName      = "qmp.sock"     // QEMU's machine protocol, for the process that started it
	attachName   = "attach.sock"  // the same for others: QEMU talks to one client a socket
	pidName      = "qemu.pid"     // locked by QEMU while it runs
	qemuLogName  = "qemu.log"     // what QEMU itself complains about
	varsName     = "uefi-vars.fd" // the firmware's memory
	OldSuffix    = ".previous"    // of the logs of the boot before
)

// ServicesDevice is the device in the machine whose output is kept in ServicesName.
const ServicesDevice = "/dev/hvc0"

// Firmware is what starts the boot loader.
type Firmware string

const (
	UEFI Firmware = "uefi"
	BIOS Firmware = "bios"
	// UBoot is that of a board, from the disk's BOOT partition.
	UBoot Firmware = "u-boot"
)

// Network is what the machine's first network interface is connected to.
type Network string

const (
	NAT    Network = "nat"    // QEMU's user network: DHCP, DNS, the host's Internet, forwarded ports
	Silent Network = "silent" // a link that is up and on which nobody answers: no DHCP, no router
	None   Network = "none"   // no such interface
)

// maxLinks is how many further interfaces a machine may have; the rest of the PCI bus is for disks and the like.
const maxLinks = 8

// LinkMAC is the MAC address of the machine's further interface i, of which the first is 0. Those that QEMU chooses count on from
// 52:54:00:12:34:56.
func LinkMAC(i int) string { return fmt.Sprintf("52:54:00:c0:ac:%02x", i) }

// Disk is a raw image that the machine sees as a virtio disk.
type Disk struct {
	Path     string
	ReadOnly bool
	Serial   string // number that the machine sees; empty: none
}

// Kernel is booted directly, without firmware or boot loader.
type Kernel struct {
	Image, Initrd, Arguments string
}

// Spec is a machine's hardware and what it boots from.
type Spec struct {
	Dir      string    // the machine's folder
	Arch     string    // amd64, which is what nothing means, arm64 or armhf
	Board    string    // such as RaspberryPi3B; empty: a virtual machine
	Memory   int       // MiB
	CPUs     int       //
	Disks    []Disk    // the first is booted
	Firmware Firmware  //
	Kernel   *Kernel   // instead of Firmware
	Network  Network   //
	Links    int       // further interfaces, all on one switch, which is up and has nothing else on it; see LinkMAC
	Cable    *Cable    // to another machine; nil: none
	Forward  []int     // TCP ports of the machine that are reached through a free port on 127.0.0.1; only with NAT
	Clock    time.Time // of the hardware clock at power-on; zero: the host's time in UTC
	Stick    bool      // the first disk is a stick at USB, which [Machine.PullStick] pulls out
	Adapter  bool      // a serial adapter of FTDI's at USB; what the machine sends is in AdapterName
	Watchdog bool      // Intel's 6300ESB, which resets the machine when it is not fed in time
	Reboots  bool      // a reboot starts the machine again; otherwise it ends it
	Detach   bool      // the machine outlives the process that started it
}

// check finds what cannot work before QEMU does, whose words would be less clear.
func (s Spec) check() error {
	b, err := boardOf(s.Board, s.Arch)
	switch {
	case err != nil:
		return err
	case s.Dir == "":
		return fmt.Errorf("machine: no folder")
	case s.Memory < 64:
		return fmt.Errorf("machine: %d MiB of memory, at least 64 are needed", s.Memory)
	case b.memory > 0 && s.Memory > b.memory:
		return fmt.Errorf("machine: %d MiB of memory, architecture %s has %d at most", s.Memory, b.arch, b.memory)
	case s.CPUs < 1:
		return fmt.Errorf("machine: %d CPUs, at least 1 is needed", s.CPUs)
	case s.Kernel == nil && !slices.Contains(b.firmwares, s.Firmware):
		return fmt.Errorf("machine: firmware %q, want one of %q", s.Firmware, b.firmwares)
	case b.fixed != nil && (s.Memory != b.fixed.memory || s.CPUs != b.fixed.cpus):
		return fmt.Errorf("machine: %d MiB and %d CPUs, but a %s has %d MiB and %d CPUs", s.Memory, s.CPUs, b.name, b.fixed.memory, b.fixed.cpus)
	case b.fixed != nil && (len(s.Disks) != 1 || s.Links > 0 || s.Cable != nil || s.Watchdog || s.Adapter || s.Stick || s.Kernel != nil):
		return fmt.Errorf("machine: a %s has one disk, its card, and nothing else that can be chosen", b.name)
	case !slices.Contains([]Network{NAT, Silent, None}, s.Network):
		return fmt.Errorf("machine: network %q, want %s, %s or %s", s.Network, NAT, Silent, None)
	case s.Links < 0 || s.Links > maxLinks:
		return fmt.Errorf("machine: %d further network interfaces, want 0 to %d", s.Links, maxLinks)
	case s.Network != NAT && len(s.Forward) > 0:
		return fmt.Errorf("machine: ports cannot be forwarded over network %s", s.Network)
	}
	return nil
}

// host is what QEMU gets from the host: files and ports that were found or made for this machine.
type host struct {
	board board
	kvm   bool
	uefi  uefiFiles   // UEFI only
	ports map[int]int // machine's port → host's port
}

// arguments builds QEMU's command line. Names without a folder are in the machine's folder, in which QEMU runs: a socket's
// address may have no more than 107 bytes, and comes out short so.
func (s Spec) arguments(h host) []string {
	args := []string{
		"-name", "coracle-" + filepath.Base(s.Dir),
		"-machine", h.board.machine, "-smp", strconv.Itoa(s.CPUs), "-m", strconv.Itoa(s.Memory),
		"-nodefaults", "-display", "none",
		"-pidfile", pidName,
		"-qmp", "unix:" + qmpName + ",server=on,wait=off", "-qmp", "unix:" + attachName + ",server=on,wait=off",
		"-chardev", "file,id=console,path=" + ConsoleName,
	}
	args = append(args, h.board.devices...)
	args = append(args, h.board.accelerator(h.kvm)...)
	if h.board.fixed != nil {
		args = append(args, s.fixedArguments(h)...)
	} else {
		args = append(args, s.virtualArguments(h)...)
	}
	if s.Clock.IsZero() {
		args = append(args, "-rtc", "base=utc")
	} else {
		args = append(args, "-rtc", "base="+s.Clock.UTC().Format("2006-01-02T15:04:05"))
	}
	if s.Watchdog {
		args = append(args, "-device", "i6300esb", "-action", "watchdog=reset")
	}
	if !s.Reboots {
		args = append(args, "-no-reboot")
	}
	return args
}

// virtualArguments are the devices of a virtual machine, on its PCI bus.
func (s Spec) virtualArguments(h host) []string {
	args := []string{
		"-serial", "chardev:console",
		"-chardev", "file,id=services,path=" + ServicesName,
		"-device", "virtio-serial-pci", "-device", "virtconsole,chardev=services",
	}
	args = append(args, s.bootArguments(h)...)
	if s.Stick || s.Adapter {
		args = append(args, "-device", "qemu-xhci")
	}
	for i, d := range s.Disks {
		args = append(args, diskArguments(i, d, s.Stick && i == 0)...)
	}
	args = append(args, s.networkArguments(h, "virtio-net-pci,romfile=,")...)
	for i := range s.Links {
		args = append(args, linkArguments(i)...)
	}
	if s.Adapter {
		args = append(args, "-chardev", "file,id=adapter,path="+AdapterName, "-device", "usb-serial,chardev=adapter")
	}
	return append(args, s.Cable.arguments()...)
}

// fixedArguments are what a board is given besides what it has: its card, and a network card at USB. Its second serial line is the one
// on the pins.
func (s Spec) fixedArguments(h host) []string {
	args := []string{
		"-kernel", h.board.fixed.kernel, "-dtb", h.board.fixed.dtb,
		"-serial", "null", "-serial", "chardev:console",
		"-drive", "if=sd,format=raw,cache=writeback,file=" + escape(s.Disks[0].Path),
	}
	return append(args, s.networkArguments(h, "usb-net,")...)
}

func (b board) accelerator(kvm bool) []string {
	if kvm {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,thread=multi,tb-size=1024", "-cpu", b.cpu}
}

func (s Spec) bootArguments(h host) []string {
	switch {
	case s.Kernel != nil:
		return []string{"-kernel", s.Kernel.Image, "-initrd", s.Kernel.Initrd, "-append", s.Kernel.Arguments}
	case s.Firmware == UEFI && h.uefi.vars == "":
		return []string{"-bios", h.uefi.code}
	case s.Firmware == UEFI:
		return []string{
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + escape(h.uefi.code),
			"-drive", "if=pflash,unit=1,format=raw,file=" + varsName,
		}
	}
	return nil // QEMU's SeaBIOS
}

// diskArguments attach disk i. Writes go to the host's page cache, and a flush by the machine becomes fdatasync on the host:
// when QEMU is killed nothing is lost that the machine had written, flushed or not. A real plug may lose what was not
// flushed; that is not modelled.
func diskArguments(i int, d Disk, stick bool) []string {
	id := "disk" + strconv.Itoa(i)
	drive := "if=none,id=" + id + ",format=raw,cache=writeback,discard=unmap,file=" + escape(d.Path)
	if d.ReadOnly {
		drive += ",readonly=on"
	}
	device := "virtio-blk-pci"
	if stick {
		device = "usb-storage,id=" + stickID
	}
	device += ",drive=" + id + ",bootindex=" + strconv.Itoa(i+1)
	if d.Serial != "" {
		device += ",serial=" + escape(d.Serial)
	}
	return []string{"-drive", drive, "-device", device}
}

// networkArguments attach the network to a card: a device with its options, and a comma. Without its option ROM a card does not try
// to boot from the network.
func (s Spec) networkArguments(h host, card string) []string {
	card += "netdev=net"
	switch s.Network {
	case Silent:
		return []string{"-netdev", "hubport,id=net,hubid=0", "-device", card}
	case NAT:
		netdev := "user,id=net"
		for _, port := range s.Forward {
			netdev += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:%d", h.ports[port], port)
		}
		return []string{"-netdev", netdev, "-device", card}
	}
	return []string{"-nic", "none"}
}

// linkArguments attach further interface i to the switch that they share. Hub 0 is that of Silent.
func linkArguments(i int) []string {
	id := "link" + strconv.Itoa(i)
	return []string{"-netdev", "hubport,hubid=1,id=" + id, "-device", "virtio-net-pci,netdev=" + id + ",romfile=,mac=" + LinkMAC(i)}
}

// stickID is QEMU's name of the stick.
const stickID = "stick"

// escape protects commas, which separate the parts of an option.
func escape(path string) string { return strings.ReplaceAll(path, ",", ",,") }
