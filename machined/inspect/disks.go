package inspect

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/storage/partitions"
)

// sector is the unit of sizes in /sys/class/block, whatever the disk's own is.
const sector = 512

// Disk is a whole disk.
type Disk struct {
	Name                           string // vda
	Size                           uint64 // bytes
	Model, Serial                  string
	Transport                      string // nvme, ata, usb, mmc, virtio, scsi; empty: not known
	Removable, ReadOnly, Rotatable bool
	Boot                           bool // the machine was booted from it
	Partitions                     []Partition
}

// Partition is a part of a disk.
type Partition struct {
	Name      string // vda1
	Label     string // of the GPT; of an MBR, which has none, what Coracle's numbers stand for
	Size      uint64 // bytes
	MountedAt string
}

// Disks lists disks in the order of their names. mounts is what is mounted, booted the disk that the machine was booted from,
// such as /dev/vda.
func (s System) Disks(mounts []Mount, booted string) ([]Disk, error) {
	const class = "class/block"
	entries, err := fs.ReadDir(s.Sys, class)
	if err != nil {
		return nil, fmt.Errorf("list disks: %w", err)
	}
	var list []Disk
	for _, e := range entries {
		dir := path.Join(class, e.Name())
		where, err := fs.ReadLink(s.Sys, dir)
		if err != nil || exists(s.Sys, path.Join(dir, "partition")) || number(s.Sys, path.Join(dir, "size")) == 0 {
			continue
		}
		transport := transportOf(where)
		if strings.Contains(where, "/virtual/") && transport == "" {
			continue // loop, zram, dm: made of something else
		}
		d := s.disk(dir, e.Name(), transport, mounts)
		d.Boot = "/dev/"+d.Name == booted
		if d.Boot {
			s.nameByNumber(dir, d.Partitions)
		}
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b Disk) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

func (s System) disk(dir, name, transport string, mounts []Mount) Disk {
	d := Disk{
		Name: valid(name), Size: number(s.Sys, path.Join(dir, "size")) * sector, Transport: transport,
		Model:     cmp.Or(line(s.Sys, path.Join(dir, "device/model")), line(s.Sys, path.Join(dir, "device/name"))), // an SD card has a name
		Serial:    cmp.Or(line(s.Sys, path.Join(dir, "serial")), line(s.Sys, path.Join(dir, "device/serial")), s.usbSerial(dir, transport), s.scsiSerial(dir)),
		Removable: number(s.Sys, path.Join(dir, "removable")) == 1,
		ReadOnly:  number(s.Sys, path.Join(dir, "ro")) == 1,
		Rotatable: number(s.Sys, path.Join(dir, "queue/rotational")) == 1,
	}
	entries, _ := fs.ReadDir(s.Sys, dir)
	for _, e := range entries {
		part := path.Join(dir, e.Name())
		if !exists(s.Sys, path.Join(part, "partition")) {
			continue
		}
		uevent, _ := readAtMost(s.Sys, path.Join(part, "uevent"), 4096)
		d.Partitions = append(d.Partitions, Partition{
			Name: valid(e.Name()), Label: property(uevent, "PARTNAME"),
			Size: number(s.Sys, path.Join(part, "size")) * sector, MountedAt: mountedAt(mounts, line(s.Sys, path.Join(part, "dev"))),
		})
	}
	slices.SortFunc(d.Partitions, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name)) // vda2 before vda10
	})
	return d
}

// usbSerial is the serial number of the USB device that a disk is part of, which is what is printed on a stick or an enclosure.
func (s System) usbSerial(disk, transport string) string {
	if transport != "usb" {
		return ""
	}
	where, err := fs.ReadLink(s.Sys, disk)
	if err != nil {
		return ""
	}
	for dir := path.Join(path.Dir(disk), where); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if exists(s.Sys, path.Join(dir, "idVendor")) {
			return line(s.Sys, path.Join(dir, "serial"))
		}
	}
	return ""
}

// scsiSerial is the serial number in a SCSI disk's vital product data, page 0x80 (SPC-4, 7.8.15), as SATA disks have it too.
func (s System) scsiSerial(disk string) string {
	const header = 4
	page, err := readAtMost(s.Sys, path.Join(disk, "device/vpd_pg80"), 256)
	if err != nil || len(page) < header || page[1] != 0x80 {
		return ""
	}
	text := page[header:]
	return valid(strings.Trim(text[:min(len(text), int(page[3]))], " \x00"))
}

// nameByNumber names the partitions of Coracle's disk if none has a name: that is an MBR.
func (s System) nameByNumber(disk string, list []Partition) {
	if slices.ContainsFunc(list, func(p Partition) bool { return p.Label != "" }) {
		return
	}
	for i, p := range list {
		list[i].Label = partitions.MBRName(int(number(s.Sys, path.Join(disk, p.Name, "partition"))))
	}
}

// transports are the parts of a device's path that tell how it is attached, the nearest to the disk first: a USB disk
// is a SCSI disk too.
var transports = []struct{ in, name string }{
	{"/nvme", "nvme"}, {"/mmc", "mmc"}, {"/usb", "usb"}, {"/ata", "ata"}, {"/virtio", "virtio"}, {"/host", "scsi"},
}

func transportOf(where string) string {
	for _, t := range transports {
		if strings.Contains(where, t.in) {
			return t.name
		}
	}
	return ""
}

// property is a value in a uevent file, which has lines NAME=value.
func property(uevent, name string) string {
	for l := range strings.Lines(uevent) {
		if v, found := strings.CutPrefix(l, name+"="); found {
			return valid(strings.TrimRight(v, "\n"))
		}
	}
	return ""
}

func mountedAt(mounts []Mount, device string) string {
	for _, m := range mounts {
		if device != "" && m.Device == device {
			return m.Target
		}
	}
	return ""
}
