package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/tools/vm/disk"
)

// board is the machine that QEMU emulates for an architecture.
type board struct {
	name      string // empty: a virtual machine
	arch      string // arch.Architecture's name
	qemu      string // QEMU's program
	pkg       string // Debian package with it
	machine   string // QEMU's name of the machine
	cpu       string // that is emulated
	memory    int    // at most, in MiB; 0: as much as one likes
	devices   []string
	firmwares []Firmware
	uefi      []uefiFiles // where distributions put UEFI
	uefiPkg   string      // Debian package with it
	races     bool        // see [Machine.EmulatorFault]
	fixed     *fixed      // what nobody can choose
}

// fixed is the hardware of a board that is sold so.
type fixed struct {
	memory, cpus int
	kernel, dtb  string // files on BOOT that its firmware would start, and hand on: QEMU does
}

// uefiFiles are UEFI's code and the template of its variables. The two must fit together. U-Boot, which is the UEFI of 32-bit ARM, has
// its variables in memory only.
type uefiFiles struct{ code, vars string }

var boards = []board{
	{
		arch: "amd64", qemu: "qemu-system-x86_64", pkg: "qemu-system-x86", machine: "q35", cpu: "max", races: true,
		devices:   []string{"-vga", "std"},
		firmwares: []Firmware{UEFI, BIOS},
		uefi: []uefiFiles{
			{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"}, // Debian 12 and later, Ubuntu
			{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},       // Debian 11
			{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
			{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
		},
		uefiPkg: "ovmf",
	},
	{
		// The processor of the Raspberry Pi 4: what newer ones have more must not be needed. It has no random numbers of its own.
		arch: "arm64", qemu: "qemu-system-aarch64", pkg: "qemu-system-arm", machine: "virt", cpu: "cortex-a72",
		devices:   []string{"-device", "ramfb", "-device", "virtio-rng-pci"},
		firmwares: []Firmware{UEFI},
		uefi: []uefiFiles{
			{"/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"}, // Debian 13, Ubuntu
			{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
			{"/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"},
		},
		uefiPkg: "qemu-efi-aarch64",
	},
	{
		// The processor of the Raspberry Pi 2. Debian's kernel has no LPAE: what it uses must be below 4 GiB, the PCI bus too.
		arch: "armhf", qemu: "qemu-system-arm", pkg: "qemu-system-arm", machine: "virt,highmem=off", cpu: "cortex-a7", memory: 3072,
		devices:   []string{"-device", "virtio-rng-pci"},
		firmwares: []Firmware{UEFI},
		uefi:      []uefiFiles{{code: "/usr/lib/u-boot/qemu_arm/u-boot.bin"}}, // Debian, Ubuntu
		uefiPkg:   "u-boot-qemu",
	},
	{
		name: RaspberryPi3B, arch: "arm64", qemu: "qemu-system-aarch64", pkg: "qemu-system-arm", machine: RaspberryPi3B, cpu: "cortex-a53",
		firmwares: []Firmware{UBoot},
		fixed:     &fixed{memory: RaspberryPi3BMemory, cpus: RaspberryPi3BCPUs, kernel: "u-boot.bin", dtb: "bcm2837-rpi-3-b.dtb"},
	},
}

// RaspberryPi3B is the board that QEMU calls so. It begins with U-Boot; QEMU has not its firmware before.
const (
	RaspberryPi3B       = "raspi3b"
	RaspberryPi3BMemory = 1024 // MiB
	RaspberryPi3BCPUs   = 4
)

// RaspberryPiArguments are kernel arguments for a Raspberry Pi in QEMU, which resets it as soon as its watchdog is armed.
const RaspberryPiArguments = "modprobe.blacklist=bcm2835_wdt"

// boardOf is a board, or with an empty name the virtual machine for an architecture; that of an empty one is amd64's.
func boardOf(name, arch string) (board, error) {
	if arch == "" {
		arch = "amd64"
	}
	i := slices.IndexFunc(boards, func(b board) bool { return b.arch == arch && b.name == name })
	switch {
	case i >= 0:
		return boards[i], nil
	case name != "":
		return board{}, fmt.Errorf("machine: no board %q of architecture %q", name, arch)
	}
	return board{}, fmt.Errorf("machine: no virtual machine for architecture %q", arch)
}

// native is whether the host's processor could run the board's programs.
func (b board) native() bool {
	host, err := arch.Host()
	return err == nil && host.Name == b.arch
}

// findUEFI returns the first pair of files that exists.
func (b board) findUEFI() (uefiFiles, error) {
	for _, f := range b.uefi {
		if exists(f.code) && (f.vars == "" || exists(f.vars)) {
			return f, nil
		}
	}
	if len(b.firmwares) > 1 {
		return uefiFiles{}, fmt.Errorf("UEFI firmware is not installed: install the package %s, or boot with %s", b.uefiPkg, b.firmwares[1])
	}
	return uefiFiles{}, errors.New("UEFI firmware is not installed: install the package " + b.uefiPkg)
}

// extract takes what the board's firmware would start from the card, as QEMU does it in the firmware's place.
func (f fixed) extract(dir, card string) error {
	for _, name := range []string{f.kernel, f.dtb} {
		content, err := disk.ReadBootFile(card, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
