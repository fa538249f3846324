// Package hardware knows what a machine is made of, and shows on an LED how it is doing, for machines without a screen.
package hardware

import (
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/state"
)

// Board is the kind of machine.
type Board = state.Board

// Where the kernel shows what the firmware says of the machine, below the root. A PC has only the second; a machine with both, as
// U-Boot makes them, says more in the first.
const (
	deviceTree = "sys/firmware/devicetree/base" // /proc/device-tree is a link to it
	smbios     = "sys/class/dmi/id"
)

// ReadBoard finds out what the machine is. root is the root file system, with /sys.
func ReadBoard(root fs.FS) Board {
	b := Board{Compatible: parseStrings(read(root, deviceTree+"/compatible"))}
	models := parseStrings(read(root, deviceTree+"/model"))
	switch {
	case len(models) > 0:
		b.Model = models[0]
	case len(b.Compatible) > 0:
		b.Model = b.Compatible[0]
	default:
		b.Model = product(field(root, "sys_vendor"), field(root, "product_name"))
	}
	return b
}

// parseStrings splits a list of strings of a device tree, each of which ends with a zero byte (Devicetree Specification 0.4,
// section 2.2.4).
func parseStrings(property string) []string {
	var list []string
	for s := range strings.SplitSeq(property, "\x00") {
		if s = printable(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// unnamed is what SMBIOS says where the maker of the machine put nothing.
var unnamed = []string{
	"none", "unknown", "not specified", "not applicable", "default string", "system manufacturer", "system product name",
	"to be filled by o.e.m.", "to be filled by oem",
}

// field is a field of SMBIOS; empty: not known.
func field(root fs.FS, name string) string {
	value := printable(read(root, smbios+"/"+name))
	if slices.Contains(unnamed, strings.ToLower(value)) {
		return ""
	}
	return value
}

// product puts vendor and name together. Some vendors are in the name too.
func product(vendor, name string) string {
	if strings.HasPrefix(strings.ToLower(name), strings.ToLower(vendor)) {
		return name
	}
	return strings.TrimSpace(vendor + " " + name)
}

// read returns what is at the beginning of a file; empty when it is not there. No name is longer.
func read(root fs.FS, name string) string {
	f, err := root.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return ""
	}
	return string(text)
}

// printable is s in ASCII without the space around it: it is shown on terminals and sent as protobuf.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, strings.TrimSpace(s))
}
