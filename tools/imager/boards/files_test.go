package boards

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/arch/boards"
	"github.com/coracle-os/coracle/images/slot/fat"
)

// tree is a device tree with nothing but a root and what it is for.
func tree(compatible ...string) []byte {
	value := strings.Join(compatible, "\x00") + "\x00"
	size := len(value)
	for len(value)%4 != 0 {
		value += "\x00"
	}
	names := "model\x00compatible\x00"
	var structure []byte
	for _, n := range []uint32{1, 0, 4 /* nop */, 3, 4, 0 /* model */, 0x50690000, 3, uint32(size), 6} {
		structure = binary.BigEndian.AppendUint32(structure, n)
	}
	structure = append(structure, value...)
	for _, n := range []uint32{2, 9} {
		structure = binary.BigEndian.AppendUint32(structure, n)
	}
	total := treeHeader + len(structure) + len(names)
	var b []byte
	for _, n := range []int{
		treeMagic, total, treeHeader, treeHeader + len(structure), treeHeader, 17, 16, 0, len(names), len(structure),
	} {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return append(append(b, structure...), names...)
}

// program is the header of an ELF file.
func program(machine elf.Machine) []byte {
	h := elf.Header32{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Ehsize: 52}
	copy(h.Ident[:], elf.ELFMAG+"\x01\x01\x01")
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, h)
	return b.Bytes()
}

// uBoot is as long as one, and begins with the instruction.
func uBoot(first uint32) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, first), make([]byte, leastUBoot)...)
}

const (
	branch64 = 0x1400000a
	branch32 = 0xea0000b8
)

// packages are unpacked packages with what the models need.
func packages(t *testing.T, goarch, flavour string) (boards.Models, Sources) {
	t.Helper()
	dir := t.TempDir()
	s := Sources{filepath.Join(dir, "firmware"), filepath.Join(dir, "u-boot"), filepath.Join(dir, "kernel")}
	models, err := boards.RaspberryPi(goarch, flavour)
	if err != nil {
		t.Fatal(err)
	}
	trees, first := "usr/lib/linux-image-6.12/broadcom", uint32(branch64)
	if flavour != "" {
		trees = "usr/lib/modules/7.3/dtb/broadcom"
	}
	if goarch == "arm" {
		trees, first = "usr/lib/linux-image-6.12", branch32
	}
	for _, u := range models.UBoot {
		put(t, filepath.Join(s.UBoot, "usr/lib/u-boot", u.Source), append(uBoot(first), "brcm,bcm2712-sdhci\x00"...))
	}
	for _, model := range models.List {
		put(t, filepath.Join(s.Kernel, trees, model.DTB), append(tree(model.Compatible, "brcm,any"), model.Card+"\x00"...))
		for _, name := range model.FirmwareFiles() {
			content := []byte("x")
			if strings.HasSuffix(name, ".elf") {
				content = program(elf.EM_VIDEOCORE3)
			}
			put(t, filepath.Join(s.Firmware, "usr/lib/raspi-firmware", name), content)
		}
	}
	return models, s
}

func put(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func paths(files []fat.File) []string {
	var names []string
	for _, f := range files {
		names = append(names, f.Path)
	}
	slices.Sort(names)
	return names
}

func TestRaspberryPi(t *testing.T) {
	for _, tc := range []struct{ goarch, flavour, files, packages string }{
		{
			"arm64", "", "bcm2711-rpi-4-b.dtb bcm2711-rpi-400.dtb bcm2711-rpi-cm4-io.dtb bcm2837-rpi-3-a-plus.dtb bcm2837-rpi-3-b-plus.dtb " +
				"bcm2837-rpi-3-b.dtb bcm2837-rpi-zero-2-w.dtb bootcode.bin config.txt fixup.dat fixup4.dat start.elf start4.elf u-boot.bin",
			"u-boot-rpi raspi-firmware",
		},
		{"arm64", "rpi5", "bcm2712-d-rpi-5-b.dtb bcm2712-rpi-5-b.dtb config.txt u-boot.bin", "u-boot-rpi"},
		{
			"arm", "", "bcm2836-rpi-2-b.dtb bcm2837-rpi-3-a-plus.dtb bcm2837-rpi-3-b-plus.dtb bcm2837-rpi-3-b.dtb " +
				"bootcode.bin config.txt fixup.dat start.elf u-boot-pi2.bin u-boot.bin",
			"u-boot-rpi raspi-firmware",
		},
	} {
		models, sources := packages(t, tc.goarch, tc.flavour)
		files, err := RaspberryPi(tc.goarch, models, sources)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(paths(files), " "); got != tc.files {
			t.Errorf("%s %s: got %s\nwant %s", tc.goarch, tc.flavour, got, tc.files)
		}
		i := slices.IndexFunc(files, func(f fat.File) bool { return f.Path == "config.txt" })
		if !strings.Contains(string(files[i].Data), "kernel=u-boot.bin\n") {
			t.Errorf("%s %s: config.txt:\n%s", tc.goarch, tc.flavour, files[i].Data)
		}
		if got := strings.Join(Packages(models), " "); got != tc.packages {
			t.Errorf("%s %s: packages %s, want %s", tc.goarch, tc.flavour, got, tc.packages)
		}
	}
}

// What would keep a board dark is found when the image is built, and says which board.
func TestRaspberryPiRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		image   string // GOARCH and flavour
		file    string // of the packages
		content []byte // nil: the file is missing
		want    []string
	}{
		"no firmware":                 {"arm64", "firmware/usr/lib/raspi-firmware/start4.elf", nil, []string{"Raspberry Pi 4 Model B needs start4.elf", "400 needs", "no such file"}},
		"firmware for another chip":   {"arm64", "firmware/usr/lib/raspi-firmware/start.elf", program(elf.EM_ARM), []string{"Zero 2 W needs start.elf", "EM_ARM"}},
		"firmware that is text":       {"arm64", "firmware/usr/lib/raspi-firmware/start.elf", []byte("version https://git-lfs"), []string{"start.elf", "bad magic"}},
		"a boot code that is too big": {"arm", "firmware/usr/lib/raspi-firmware/bootcode.bin", make([]byte, bootcodeRoom+1), []string{"Raspberry Pi 2 Model B needs bootcode.bin", "131072"}},
		"an empty fixup":              {"arm64", "firmware/usr/lib/raspi-firmware/fixup4.dat", []byte{}, []string{"Compute Module 4 needs fixup4.dat", "empty"}},
		"no U-Boot":                   {"arm", "u-boot/usr/lib/u-boot/rpi_2/u-boot.bin", nil, []string{"Raspberry Pi 2 Model B needs u-boot-pi2.bin"}},
		"U-Boot of 32 bits":           {"arm64", "u-boot/usr/lib/u-boot/rpi_arm64/u-boot.bin", uBoot(branch32), []string{"no U-Boot for arm64", "ea0000b8"}},
		"U-Boot of 64 bits":           {"arm", "u-boot/usr/lib/u-boot/rpi_3_32b/u-boot.bin", uBoot(branch64), []string{"Raspberry Pi 3 Model B needs u-boot.bin", "no U-Boot for arm"}},
		"U-Boot that was cut off":     {"arm64", "u-boot/usr/lib/u-boot/rpi_arm64/u-boot.bin", uBoot(branch64)[:4096], []string{"4096 bytes"}},
		"no device tree":              {"arm64", "kernel/usr/lib/linux-image-6.12/broadcom/bcm2711-rpi-400.dtb", nil, []string{"Raspberry Pi 400", "no device tree bcm2711-rpi-400.dtb"}},
		"another's device tree":       {"arm64", "kernel/usr/lib/linux-image-6.12/broadcom/bcm2711-rpi-400.dtb", tree("raspberrypi,4-model-b"), []string{"Raspberry Pi 400 needs", "raspberrypi,4-model-b"}},
		"half a device tree":          {"arm64", "kernel/usr/lib/linux-image-6.12/broadcom/bcm2711-rpi-400.dtb", tree("raspberrypi,400")[:60], []string{"cut off"}},
		"U-Boot without the card":     {"arm64 rpi5", "u-boot/usr/lib/u-boot/rpi_arm64/u-boot.bin", uBoot(branch64), []string{"Raspberry Pi 5 needs u-boot.bin", "brcm,bcm2712-sdhci"}},
		"a tree without the card":     {"arm64 rpi5", "kernel/usr/lib/modules/7.3/dtb/broadcom/bcm2712-d-rpi-5-b.dtb", tree("raspberrypi,5-model-b"), []string{"Raspberry Pi 5 (D0) needs bcm2712-d-rpi-5-b.dtb", "brcm,bcm2712-sdhci"}},
		"larger than BOOT":            {"arm64", "u-boot/usr/lib/u-boot/rpi_arm64/u-boot.bin", append(uBoot(branch64), make([]byte, 64<<20)...), []string{"bytes on BOOT"}},
	} {
		t.Run(name, func(t *testing.T) {
			goarch, flavour, _ := strings.Cut(tc.image, " ")
			models, s := packages(t, goarch, flavour)
			name := filepath.Join(filepath.Dir(s.Kernel), tc.file)
			if _, err := os.Stat(name); err != nil {
				t.Fatal(err)
			}
			if tc.content == nil {
				os.Remove(name)
			} else {
				put(t, name, tc.content)
			}
			_, err := RaspberryPi(goarch, models, s)
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want one with %q", err, want)
				}
			}
		})
	}
}

func FuzzCompatibles(f *testing.F) {
	f.Add(tree("raspberrypi,4-model-b", "brcm,bcm2711"))
	f.Add(tree("x")[:50])
	f.Add([]byte{0xd0, 0x0d, 0xfe, 0xed})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := compatibles(b); err == nil && len(got) == 0 {
			t.Error("neither a model nor an error")
		}
	})
}
