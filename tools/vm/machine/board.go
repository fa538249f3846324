package machine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/coracle-os/coracle/arch"
)

// board is the machine that QEMU emulates for an architecture.
type board struct {
	arch      string // arch.Architecture's name
	qemu      string // QEMU's program
	pkg       string // Debian package with it
	machine   string // QEMU's name of the machine
	cpu       string // that is emulated
	devices   []string
	firmwares []Firmware
	uefi      []uefiFiles // where distributions put UEFI
	uefiPkg   string      // Debian package with it
	races     bool        // see [Machine.EmulatorFault]
}

// uefiFiles are UEFI's code and the template of its variables. The two must fit together.
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
}

// boardOf is the machine for an architecture; that of an empty name is amd64's.
func boardOf(name string) (board, error) {
	if name == "" {
		name = "amd64"
	}
	i := slices.IndexFunc(boards, func(b board) bool { return b.arch == name })
	if i < 0 {
		return board{}, fmt.Errorf("machine: no virtual machine for architecture %q", name)
	}
	return boards[i], nil
}

// native is whether the host's processor could run the board's programs.
func (b board) native() bool {
	host, err := arch.Host()
	return err == nil && host.Name == b.arch
}

// findUEFI returns the first pair of files that exists.
func (b board) findUEFI() (uefiFiles, error) {
	for _, f := range b.uefi {
		if exists(f.code) && exists(f.vars) {
			return f, nil
		}
	}
	if len(b.firmwares) > 1 {
		return uefiFiles{}, fmt.Errorf("UEFI firmware is not installed: install the package %s, or boot with %s", b.uefiPkg, b.firmwares[1])
	}
	return uefiFiles{}, errors.New("UEFI firmware is not installed: install the package " + b.uefiPkg)
}
