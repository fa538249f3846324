// Package boards holds what differs between boards of an architecture: the models of the Raspberry Pi, and what their firmware
// starts from. Machines with UEFI or BIOS need nothing of it.
package boards

import (
	_ "embed"
	"fmt"
	"slices"

	"github.com/coracle-os/coracle/machined/config/strict"
)

// Models are the Raspberry Pis that one image is for: of one architecture and flavour.
type Models struct {
	Config   []string `yaml:"config"`   // lines of config.txt
	Refused  []string `yaml:"refused"`  // sections of config.txt of models that the image is not for
	Accepted []string `yaml:"accepted"` // sections of models that it is for, though they see one of Refused
	UBoot    []UBoot  `yaml:"u-boot"`   // the one without a section first
	List     []Model  `yaml:"models"`
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
	Card         string `yaml:"card,omitempty"`         // the SD card's host in its device tree, if not every U-Boot has a driver for that
	Imager       string `yaml:"imager"`                 // device in Raspberry Pi Imager's lists
	Flavour      string `yaml:"flavour,omitempty"`      // of images that are for it; empty: the plain one
	Experimental bool   `yaml:"experimental,omitempty"` // nobody knows whether it starts
}

// RaspberryPi are the models that images of this GOARCH and flavour are for.
func RaspberryPi(goarch, flavour string) (Models, error) {
	m := data.Architectures[goarch]
	m.List = slices.DeleteFunc(slices.Clone(m.List), func(model Model) bool { return model.Flavour != flavour })
	switch {
	case len(m.List) == 0 && flavour == "":
		return Models{}, fmt.Errorf("no Raspberry Pi is supported with architecture %q", goarch)
	case len(m.List) == 0:
		return Models{}, fmt.Errorf("no Raspberry Pi is supported with architecture %q in flavour %q", goarch, flavour)
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

// Devices are the models as Raspberry Pi Imager calls them, each once.
func (m Models) Devices() []string {
	return m.each(func(model Model) string { return model.Imager })
}

// Compatible are the first names in the models' device trees, each once.
func (m Models) Compatible() []string {
	return m.each(func(model Model) string { return model.Compatible })
}

func (m Models) each(name func(Model) string) []string {
	var names []string
	for _, model := range m.List {
		if n := name(model); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// Experimental is whether nobody knows of any of the models whether it starts.
func (m Models) Experimental() bool {
	return !slices.ContainsFunc(m.List, func(model Model) bool { return !model.Experimental })
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
