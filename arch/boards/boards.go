// Package boards holds what differs between boards of an architecture: the models of the Raspberry Pi, and what their firmware
// starts from. Machines with UEFI or BIOS need nothing of it.
package boards

import (
	_ "embed"
	"fmt"
	"slices"

	"github.com/coracle-os/coracle/machined/config/strict"
)

// Models are the Raspberry Pis of one architecture, whose images are one.
type Models struct {
	Config []string `yaml:"config"` // lines of config.txt
	UBoot  []UBoot  `yaml:"u-boot"` // the one without a section first
	List   []Model  `yaml:"models"`
}

// UBoot is one build of U-Boot.
type UBoot struct {
	File    string `yaml:"file"`              // on BOOT
	Source  string `yaml:"source"`            // in usr/lib/u-boot of the package u-boot-rpi
	Section string `yaml:"section,omitempty"` // of config.txt, for the models that start this one; empty: all others
}

// Model is one that is sold under a name of its own.
type Model struct {
	Name         string `yaml:"name"`
	Compatible   string `yaml:"compatible"`             // the first in its device tree
	DTB          string `yaml:"dtb"`                    // device tree, under the name that the firmware looks for
	Firmware     string `yaml:"firmware,omitempty"`     // set of files; empty: it is in the board
	Section      string `yaml:"section,omitempty"`      // of config.txt that is only for it and its like
	Imager       string `yaml:"imager"`                 // device in Raspberry Pi Imager's lists
	Experimental bool   `yaml:"experimental,omitempty"` // needs another kernel than the image's; nothing of it is in the image
}

// RaspberryPi are the models by GOARCH.
func RaspberryPi(goarch string) (Models, error) {
	m, ok := data.Architectures[goarch]
	if !ok {
		return Models{}, fmt.Errorf("no Raspberry Pi is supported with architecture %q", goarch)
	}
	m.Config = append(slices.Clone(data.Config), m.Config...)
	return m, nil
}

// FirmwareFiles are the files of the package raspi-firmware that the model starts from.
func (m Model) FirmwareFiles() []string { return data.Firmware[m.Firmware] }

// UBootOf is the U-Boot that the model starts.
func (m Models) UBootOf(model Model) UBoot {
	for _, u := range m.UBoot {
		if u.Section != "" && u.Section == model.Section {
			return u
		}
	}
	return m.UBoot[0]
}

// Supported are the models without the experimental ones.
func (m Models) Supported() []Model {
	return slices.DeleteFunc(slices.Clone(m.List), func(m Model) bool { return m.Experimental })
}

// Devices are the supported models as Raspberry Pi Imager calls them, each once.
func (m Models) Devices() []string {
	var tags []string
	for _, model := range m.Supported() {
		if !slices.Contains(tags, model.Imager) {
			tags = append(tags, model.Imager)
		}
	}
	return tags
}

//go:embed boards.yml
var file []byte

var data = mustParse(file)

// document is boards.yml.
type document struct {
	Firmware      map[string][]string `yaml:"firmware"`
	Config        []string            `yaml:"config"`
	Architectures map[string]Models   `yaml:"architectures"`
}

func mustParse(file []byte) document {
	var d document
	if _, err := strict.Decode("arch/boards/boards.yml", file, &d); err != nil {
		panic(err)
	}
	return d
}
