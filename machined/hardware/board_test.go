package hardware

import (
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// root is a root file system with these files.
func root(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

func TestReadBoard(t *testing.T) {
	const dt, dmi = "sys/firmware/devicetree/base/", "sys/class/dmi/id/"
	pi := []string{"raspberrypi,4-model-b", "brcm,bcm2711"}
	for name, tc := range map[string]struct {
		files map[string]string
		want  Board
	}{
		"Raspberry Pi": {
			map[string]string{dt + "model": "Raspberry Pi 4 Model B Rev 1.4\x00", dt + "compatible": "raspberrypi,4-model-b\x00brcm,bcm2711\x00"},
			Board{Model: "Raspberry Pi 4 Model B Rev 1.4", Compatible: pi},
		},
		"U-Boot makes both": {
			map[string]string{
				dt + "model": "Raspberry Pi 4 Model B Rev 1.4\x00", dt + "compatible": "raspberrypi,4-model-b\x00brcm,bcm2711\x00",
				dmi + "sys_vendor": "raspberrypi\n", dmi + "product_name": "4-model-b\n",
			},
			Board{Model: "Raspberry Pi 4 Model B Rev 1.4", Compatible: pi},
		},
		"no model":             {map[string]string{dt + "compatible": "linux,dummy-virt\x00"}, Board{Model: "linux,dummy-virt", Compatible: []string{"linux,dummy-virt"}}},
		"PC":                   {map[string]string{dmi + "sys_vendor": "QEMU\n", dmi + "product_name": "Standard PC (Q35 + ICH9, 2009)\n"}, Board{Model: "QEMU Standard PC (Q35 + ICH9, 2009)"}},
		"ARM with ACPI":        {map[string]string{dt + "chosen/bootargs": "x\x00", dmi + "sys_vendor": "Ampere(R)\n", dmi + "product_name": "Mt. Jade\n"}, Board{Model: "Ampere(R) Mt. Jade"}},
		"vendor in the name":   {map[string]string{dmi + "sys_vendor": "Raspberry Pi\n", dmi + "product_name": "Raspberry Pi 4 Model B\n"}, Board{Model: "Raspberry Pi 4 Model B"}},
		"not filled in":        {map[string]string{dmi + "sys_vendor": "To Be Filled By O.E.M.\n", dmi + "product_name": "Default string\n"}, Board{}},
		"name not filled in":   {map[string]string{dmi + "sys_vendor": "AZW\n", dmi + "product_name": "System Product Name\n"}, Board{Model: "AZW"}},
		"moves the cursor":     {map[string]string{dmi + "product_name": "\x1b[2Jé\n"}, Board{Model: "?[2J?"}},
		"says nothing":         {nil, Board{}},
		"empty in device tree": {map[string]string{dt + "model": "\x00", dt + "compatible": "\x00\x00"}, Board{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ReadBoard(root(tc.files)); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%+v, want %+v", got, tc.want)
			}
		})
	}
}

func FuzzParseStrings(f *testing.F) {
	f.Add("raspberrypi,4-model-b\x00brcm,bcm2711\x00")
	f.Add("\x00\x00\xff\x1b[2J")
	f.Fuzz(func(t *testing.T, property string) {
		list := parseStrings(property)
		for _, s := range list {
			if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%q", s)
			}
		}
		if again := parseStrings(strings.Join(list, "\x00")); !reflect.DeepEqual(again, list) {
			t.Errorf("%q, then %q", list, again)
		}
	})
}
