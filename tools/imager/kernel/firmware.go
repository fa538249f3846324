package kernel

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Firmware lists the files below /usr/lib/firmware that the modules say they may ask for.
func (k Kernel) Firmware(x *Index, modules []string) ([]string, error) {
	var all []string
	for _, m := range modules {
		names, err := readFirmware(filepath.Join(k.modulesDir(k.Root), x.paths[m]))
		if err != nil {
			return nil, fmt.Errorf("read module %s: %w", m, err)
		}
		all = append(all, names...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func readFirmware(name string) ([]string, error) {
	f, err := openModule(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	object, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	section := object.Section(".modinfo")
	if section == nil {
		return nil, nil
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	return firmwareNames(info), nil
}

// firmwareNames reads the section .modinfo: NAME=VALUE with a NUL after each.
func firmwareNames(modinfo []byte) []string {
	var names []string
	for entry := range bytes.SplitSeq(modinfo, []byte{0}) {
		if name, ok := strings.CutPrefix(string(entry), "firmware="); ok {
			names = append(names, name)
		}
	}
	return names
}
