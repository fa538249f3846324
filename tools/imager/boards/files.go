// Package boards puts together what boards that do not start from UEFI or BIOS need on BOOT, and describes images to the
// program that people write them to SD cards with.
package boards

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/coracle-os/coracle/arch/boards"
	"github.com/coracle-os/coracle/images/slot/fat"
	"github.com/coracle-os/coracle/tools/imager/disk"
)

// Debian packages that [RaspberryPi] takes files from, for the architecture of the image. The first is in non-free-firmware, and not every
// model starts from it.
const (
	FirmwarePackage = "raspi-firmware"
	UBootPackage    = "u-boot-rpi"
)

// Sources are the roots of unpacked packages.
type Sources struct {
	Firmware string // FirmwarePackage
	UBoot    string // UBootPackage
	Kernel   string // the image's kernel, which has the device trees
}

// treeFolders are where kernel packages have device trees: Linux 6.12 for arm64, for armhf, and later ones.
var treeFolders = []string{"usr/lib/linux-image-*/broadcom", "usr/lib/linux-image-*", "usr/lib/modules/*/dtb/broadcom"}

// source is a file of a package, for BOOT.
type source struct {
	path  string // on BOOT
	file  string
	check func(content []byte) error
}

// Packages are those of [FirmwarePackage] and [UBootPackage] that the models start from.
func Packages(models boards.Models) []string {
	names := []string{UBootPackage}
	if slices.ContainsFunc(models.List, func(m boards.Model) bool { return len(m.FirmwareFiles()) > 0 }) {
		names = append(names, FirmwarePackage)
	}
	return names
}

// RaspberryPi lists the files on BOOT that Raspberry Pis of an architecture start from, up to U-Boot, which starts GRUB as UEFI would.
// Each is looked at: an error says which model would not start, and why.
func RaspberryPi(goarch string, models boards.Models, s Sources) ([]fat.File, error) {
	files := []fat.File{{Path: "config.txt", Data: models.ConfigTxt()}}
	var problems []error
	for _, model := range models.List {
		needed, err := s.of(goarch, models, model)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", model.Name, err))
		}
		for _, n := range needed {
			if err := n.look(); err != nil {
				problems = append(problems, fmt.Errorf("%s needs %s on BOOT: %w", model.Name, n.path, err))
				continue
			}
			f := fat.File{Path: n.path, Source: n.file}
			if !slices.ContainsFunc(files, func(o fat.File) bool { return o.Path == f.Path }) {
				files = append(files, f)
			}
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return files, fits(files, disk.BootSize)
}

// of lists what one model needs.
func (s Sources) of(goarch string, models boards.Models, model boards.Model) ([]source, error) {
	var needed []source
	for _, name := range model.FirmwareFiles() {
		needed = append(needed, source{name, filepath.Join(s.Firmware, "usr/lib/raspi-firmware", name), firmwareChecks[filepath.Ext(name)]})
	}
	u := models.UBootOf(model)
	needed = append(needed, source{u.File, filepath.Join(s.UBoot, "usr/lib/u-boot", u.Source), all(isUBoot(goarch), mentions(model.Card))})
	for _, folder := range treeFolders {
		found, err := filepath.Glob(filepath.Join(s.Kernel, folder, model.DTB))
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return append(needed, source{model.DTB, found[0], all(isTree(model.Compatible), mentions(model.Card))}), nil
		}
	}
	return needed, fmt.Errorf("the kernel package in %s has no device tree %s", s.Kernel, model.DTB)
}

func (s source) look() error {
	content, err := os.ReadFile(s.file)
	if err != nil {
		return err
	}
	if err := s.check(content); err != nil {
		return fmt.Errorf("%s: %w", s.file, err)
	}
	return nil
}

// fits finds files that leave no room on BOOT, of size bytes.
func fits(files []fat.File, size int64) error {
	need, err := fat.Spec{Files: files}.Need()
	if err != nil {
		return err
	}
	if need > size {
		return fmt.Errorf("what boards start from needs %d bytes on BOOT, which has %d", need, size)
	}
	return nil
}
