package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/diskfs/go-diskfs/partition/gpt"

	"github.com/coracle-os/coracle/configs/grub"
)

// platform is one way that GRUB is started.
type platform struct {
	name    string // GRUB's name of it
	pkg     string // Debian package with its modules
	prefix  string // where GRUB looks when its early configuration finds nothing
	modules []string
}

// loaders are the platforms of an architecture's disks.
type loaders struct {
	uefi platform
	file string // of UEFI's on BOOT: where firmware looks on a disk that it does not know (UEFI specification 2.10, section 3.5.1.1)
	bios *platform
	slot gpt.Type // of the partition of a slot (UAPI's Discoverable Partitions Specification)
}

// byArchitecture are the loaders by GOARCH.
var byArchitecture = map[string]loaders{
	"amd64": {
		uefi: platform{name: "x86_64-efi", pkg: "grub-efi-amd64-bin", prefix: "/coracle", modules: []string{"all_video"}},
		file: "EFI/BOOT/BOOTX64.EFI",
		bios: &bios, slot: gpt.LinuxRootX86_64,
	},
	"arm64": {
		uefi: platform{name: "arm64-efi", pkg: "grub-efi-arm64-bin", prefix: "/coracle", modules: []string{"all_video"}},
		file: "EFI/BOOT/BOOTAA64.EFI", slot: gpt.LinuxRootArm64,
	},
	"arm": {
		uefi: platform{name: "arm-efi", pkg: "grub-efi-arm-bin", prefix: "/coracle", modules: []string{"all_video"}},
		file: "EFI/BOOT/BOOTARM.EFI", slot: gpt.LinuxRootArm,
	},
}

// Every module that configs/grub uses is in the image: nothing is loaded from disk.
var (
	commonModules = []string{
		"boot", "configfile", "echo", "fat", "gcry_sha256", "hashsum", "linux", "loadenv", "minicmd", "normal", "part_gpt", "part_msdos", "probe",
		"reboot", "regexp", "search", "search_fs_file", "sleep", "terminal", "test", "true",
	}
	bios = platform{
		name: "i386-pc", pkg: "grub-pc-bin", prefix: "(,gpt1)/coracle", // the partition is of the disk that was booted
		modules: []string{"biosdisk", "serial"},
	}
)

func (p platform) dir(t Tools) string {
	return filepath.Join(t.Dir(p.pkg), "usr/lib/grub", p.name)
}

// image has grub-mkimage make GRUB's image for the platform, with the early configuration in it.
func (p platform) image(ctx context.Context, t Tools, scratch string) ([]byte, error) {
	early := filepath.Join(scratch, "early.cfg")
	if err := os.WriteFile(early, grub.Early(), 0o644); err != nil {
		return nil, err
	}
	out := filepath.Join(scratch, p.name+".img")
	args := []string{"--format", p.name, "--directory", p.dir(t), "--prefix", p.prefix, "--config", early, "--output", out}
	args = append(args, slices.Sorted(slices.Values(slices.Concat(commonModules, p.modules)))...)
	cmd := t.Command(ctx, "grub-mkimage", args...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make GRUB's image for %s: grub-mkimage %s: %w: %s", p.name, strings.Join(args, " "), err, bytes.TrimSpace(text))
	}
	return os.ReadFile(out)
}

// Where GRUB's installer would write into boot.img and core.img (grub-core/boot/i386/pc/boot.S and diskboot.S,
// include/grub/i386/pc/boot.h). Offsets are bytes, addresses are sectors of 512 bytes.
const (
	kernelSectorOffset    = 0x5c  // boot.img, 64 bits: first sector of core.img
	bootDriveCheckOffset  = 0x66  // boot.img, 16 bits: a jump
	firstBlocklistOffset  = 0x1f4 // core.img, 64 bits: sector of the rest of core.img
	bootCodeSize          = 440   // after it come the disk signature and the partition table
	firstBlocklistLengths = firstBlocklistOffset + 8
)

// bootSector is boot.img for a core.img that starts at the sector coreLBA: the first bootCodeSize bytes of the disk.
func bootSector(bootImg []byte, coreLBA uint64) ([]byte, error) {
	if len(bootImg) != sectorSize {
		return nil, fmt.Errorf("GRUB's boot.img has %d bytes, want %d", len(bootImg), sectorSize)
	}
	code := slices.Clone(bootImg[:bootCodeSize])
	binary.LittleEndian.PutUint64(code[kernelSectorOffset:], coreLBA)
	// Two NOPs: trust no BIOS to pass the number of the boot drive right, as GRUB's installer does for hard disks.
	copy(code[bootDriveCheckOffset:], []byte{0x90, 0x90})
	return code, nil
}

// coreImage is core.img to be written at the sector coreLBA, where at most room bytes are free.
func coreImage(core []byte, coreLBA, room uint64) ([]byte, error) {
	if len(core) <= sectorSize {
		return nil, fmt.Errorf("GRUB's core.img has %d bytes only", len(core))
	}
	if uint64(len(core)) > room {
		return nil, fmt.Errorf("GRUB's core.img has %d bytes, its partition %d", len(core), room)
	}
	rest := (len(core) - 1) / sectorSize
	if n := int(binary.LittleEndian.Uint16(core[firstBlocklistLengths:])); n != rest {
		return nil, fmt.Errorf("GRUB's core.img says that %d sectors follow its first; there are %d: its format changed", n, rest)
	}
	core = slices.Clone(core)
	binary.LittleEndian.PutUint64(core[firstBlocklistOffset:], coreLBA+1)
	return core, nil
}
