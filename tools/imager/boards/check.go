package boards

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// firmwareChecks are those of the firmware's files, by how their names end.
var firmwareChecks = map[string]func([]byte) error{
	".bin": isBootcode,
	".elf": isStart,
	".dat": isFixup,
}

// bootcodeRoom is the cache that the boot ROM loads bootcode.bin into, before there is RAM, in bytes.
const bootcodeRoom = 128 << 10

func isBootcode(b []byte) error {
	if len(b) == 0 || len(b) > bootcodeRoom {
		return fmt.Errorf("has %d bytes, and the boot ROM loads 1 to %d", len(b), bootcodeRoom)
	}
	return nil
}

// isStart looks at the firmware proper, a program for the GPU.
func isStart(b []byte) error {
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return err
	}
	if f.Class != elf.ELFCLASS32 || f.Machine != elf.EM_VIDEOCORE3 {
		return fmt.Errorf("is a program for %s, %s, not for the GPU (VideoCore)", f.Machine, f.Class)
	}
	return nil
}

// isFixup looks at what adapts the firmware to the size of the RAM.
func isFixup(b []byte) error {
	if len(b) == 0 {
		return errors.New("is empty")
	}
	return nil
}

// U-Boot's image has no header; it is entered at its first instruction, which in all of its builds is a branch.
var branches = map[string]struct{ mask, value uint32 }{
	"arm64": {0xfc000000, 0x14000000}, // B: Arm Architecture Reference Manual for A-profile, C6.2
	"arm":   {0xff000000, 0xea000000}, // B, always: the same, F5.1
}

// leastUBoot is far below the size of any U-Boot that starts EFI programs, in bytes.
const leastUBoot = 128 << 10

func isUBoot(goarch string) func([]byte) error {
	return func(b []byte) error {
		if len(b) < leastUBoot {
			return fmt.Errorf("has %d bytes: it was cut off, or is no U-Boot", len(b))
		}
		first, want := binary.LittleEndian.Uint32(b), branches[goarch]
		if want.mask == 0 || first&want.mask != want.value {
			return fmt.Errorf("is no U-Boot for %s: it begins with %08x, which is not a branch there", goarch, first)
		}
		return nil
	}
}

// mentions looks for the name of a device: U-Boot has those that it drives in itself, and a device tree those that are there.
func mentions(name string) func([]byte) error {
	return func(b []byte) error {
		if name != "" && !bytes.Contains(b, append([]byte(name), 0)) {
			return fmt.Errorf("knows no %s, which the card is behind", name)
		}
		return nil
	}
}

// all is several checks.
func all(checks ...func([]byte) error) func([]byte) error {
	return func(b []byte) error {
		for _, check := range checks {
			if err := check(b); err != nil {
				return err
			}
		}
		return nil
	}
}
