package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Facts are what is known of a machine before it has a config. FS is the root file system, with /sys and /proc.
type Facts struct{ FS fs.FS }

// facts are the placeholders that the URL of a config may hold, and what they stand for.
var facts = map[string]func(Facts) (string, error){
	"mac":      Facts.mac,
	"uuid":     Facts.uuid,
	"serial":   Facts.serial,
	"hostname": Facts.hostname,
}

// placeholders lists them for a person.
func placeholders() string {
	return "{" + strings.Join(slices.Sorted(maps.Keys(facts)), "}, {") + "}"
}

// expand puts facts in the place of placeholders.
func (f Facts) expand(raw string) (string, error) {
	var problem error
	expanded := placeholder.ReplaceAllStringFunc(raw, func(name string) string {
		fact, known := facts[strings.Trim(name, "{}")]
		if !known {
			problem = fmt.Errorf("there is no placeholder %s", name)
			return ""
		}
		value, err := fact(f)
		if err != nil {
			problem = fmt.Errorf("%s: %w", name, err)
		}
		// For a path and for a query alike; a colon needs no escape in either.
		return strings.NewReplacer("+", "%20", "%3A", ":").Replace(url.QueryEscape(value))
	})
	return expanded, problem
}

// mac is the MAC address of the first wired interface, by name, that has a link.
func (f Facts) mac() (string, error) {
	const dir = "sys/class/net"
	interfaces, err := fs.ReadDir(f.FS, dir)
	if err != nil {
		return "", err
	}
	for _, i := range interfaces {
		at := path.Join(dir, i.Name())
		// Hardware (the others have no device) of ARPHRD_ETHER (1), but for Wi-Fi.
		if !f.has(path.Join(at, "device")) || f.has(path.Join(at, "wireless")) || f.has(path.Join(at, "phy80211")) || f.text(path.Join(at, "type")) != "1" {
			continue
		}
		if mac := f.text(path.Join(at, "address")); mac != "" && f.text(path.Join(at, "carrier")) == "1" {
			return strings.ToLower(mac), nil
		}
	}
	return "", errors.New("no wired interface has a link")
}

// uuid is that of the system's firmware (SMBIOS), as Linux shows it, in lower case.
func (f Facts) uuid() (string, error) {
	if id := strings.ToLower(f.text("sys/class/dmi/id/product_uuid")); id != "" {
		return id, nil
	}
	return "", errors.New("this machine has no UUID; use {mac} or {serial}")
}

// noSerial is what firmware says where its maker put no serial number.
var noSerial = []string{"", "0", "none", "not specified", "not applicable", "default string", "system serial number", "to be filled by o.e.m.", "to be filled by oem"}

// serial is the serial number of the system, from SMBIOS or the device tree (Raspberry Pi).
func (f Facts) serial() (string, error) {
	for _, file := range []string{"sys/class/dmi/id/product_serial", "sys/firmware/devicetree/base/serial-number"} {
		if serial := f.text(file); !slices.Contains(noSerial, strings.ToLower(serial)) {
			return serial, nil
		}
	}
	return "", errors.New("this machine has no serial number; use {mac} or {uuid}")
}

func (f Facts) hostname() (string, error) {
	if name := f.text("proc/sys/kernel/hostname"); name != "" && name != "(none)" {
		return name, nil
	}
	return "", errors.New("this machine has no host name yet")
}

func (f Facts) has(name string) bool {
	_, err := fs.Stat(f.FS, name)
	return err == nil
}

// text is the content of a file, without the zero byte at the end of what the device tree holds; empty when it cannot be read.
func (f Facts) text(name string) string {
	text, err := fs.ReadFile(f.FS, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.Trim(string(text), "\x00"))
}
