package main

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/coracle-os/coracle/machined/storage/partitions"
)

// disk is a whole disk as sysfs shows it.
type disk struct {
	name       string // such as vda
	size       uint64 // bytes
	sectorSize int    // bytes
	partitions []partition
}

type partition struct {
	name   string // such as vda1
	number int
	label  string // GPT name; empty: of an MBR
	device string // MAJOR:MINOR
	size   uint64 // bytes
}

// place is where a slot is. disk, boot and slot are device nodes.
type place struct {
	disk, boot, slot string
	device           string // slot's MAJOR:MINOR
	size             uint64 // slot's bytes
}

// sysfsSector is the unit of sizes in sysfs whatever the disk's own sectors are, in bytes.
const sysfsSector = 512

// findDisks lists the disks in sysfs, except those that have no content, such as an empty card reader.
func findDisks(sysfs fs.FS) []disk {
	names, _ := fs.Glob(sysfs, "block/*")
	var disks []disk
	for _, dir := range names {
		d := disk{name: path.Base(dir), size: number(sysfs, dir+"/size") * sysfsSector}
		d.sectorSize = int(number(sysfs, dir+"/queue/logical_block_size"))
		if d.size == 0 || d.sectorSize == 0 {
			continue
		}
		numbers, _ := fs.Glob(sysfs, dir+"/*/partition")
		for _, file := range numbers {
			at := path.Dir(file)
			d.partitions = append(d.partitions, partition{
				name:   path.Base(at),
				number: int(number(sysfs, file)),
				label:  property(sysfs, at+"/uevent", "PARTNAME"),
				device: text(sysfs, at+"/dev"),
				size:   number(sysfs, at+"/size") * sysfsSector,
			})
		}
		disks = append(disks, d)
	}
	return disks
}

// identify returns the PARTUUIDs of a disk's partitions by their number, in lower case.
type identify func(disk) (map[int]string, error)

// choose finds the slot on the disk that has the BOOT partition which the machine was booted from. It returns all
// that match: two disks match when one is a copy of the other. problems says which disks could not be read.
func choose(disks []disk, identify identify, args arguments) (places []place, problems []error) {
	for _, d := range disks {
		slot, ok := d.slot(args.slot)
		if !ok {
			continue
		}
		ids, err := identify(d)
		if err != nil {
			problems = append(problems, fmt.Errorf("disk %s: %w", d.name, err))
			continue
		}
		boot, ok := d.find(func(p partition) bool { return ids[p.number] == args.boot })
		if !ok {
			continue
		}
		places = append(places, place{
			disk: "/dev/" + d.name, boot: "/dev/" + boot.name, slot: "/dev/" + slot.name,
			device: slot.device, size: slot.size,
		})
	}
	return places, problems
}

// slot finds the partition of slot "a" or "b": by its name, or by its number on a disk that has no names, which an MBR has not.
func (d disk) slot(name string) (partition, bool) {
	name = "coracle-" + name
	if !d.named() {
		return d.find(func(p partition) bool { return p.number == partitions.MBRNumber(name) })
	}
	return d.find(func(p partition) bool { return p.label == name })
}

func (d disk) named() bool {
	_, ok := d.find(func(p partition) bool { return p.label != "" })
	return ok
}

func (d disk) find(is func(partition) bool) (partition, bool) {
	for _, p := range d.partitions {
		if is(p) {
			return p, true
		}
	}
	return partition{}, false
}

// describe lists disks for a person: "vda 8.0 GiB (coracle-boot, coracle-a), mmcblk0 29.7 GiB (partitions 1, 2), sda 2.0 GiB
// (no partition)".
func describe(disks []disk) string {
	if len(disks) == 0 {
		return "none"
	}
	var all []string
	for _, d := range disks {
		var labels []string
		for _, p := range d.partitions {
			if p.label != "" {
				labels = append(labels, p.label)
			}
		}
		if labels == nil {
			labels = []string{unnamed(d)}
		}
		all = append(all, fmt.Sprintf("%s %.1f GiB (%s)", d.name, float64(d.size)/(1<<30), strings.Join(labels, ", ")))
	}
	return strings.Join(all, ", ")
}

// unnamed lists the partitions of a disk that has no names.
func unnamed(d disk) string {
	if len(d.partitions) == 0 {
		return "no partition"
	}
	var numbers []string
	for _, p := range d.partitions {
		numbers = append(numbers, strconv.Itoa(p.number))
	}
	return "partitions " + strings.Join(numbers, ", ")
}

func text(sysfs fs.FS, file string) string {
	b, _ := fs.ReadFile(sysfs, file)
	return strings.TrimSpace(string(b))
}

func number(sysfs fs.FS, file string) uint64 {
	n, _ := strconv.ParseUint(text(sysfs, file), 10, 64)
	return n
}

// property is the value of KEY=VALUE in a uevent file.
func property(sysfs fs.FS, file, key string) string {
	for line := range strings.Lines(text(sysfs, file)) {
		if value, ok := strings.CutPrefix(line, key+"="); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
