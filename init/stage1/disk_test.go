package main

import (
	"cmp"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
)

// system is a sysfs with these disks; a partition is "name number label", or "name number" of an MBR.
func system(disks map[string][]string) fstest.MapFS {
	fsys := make(fstest.MapFS)
	put := func(name, content string) { fsys[name] = &fstest.MapFile{Data: []byte(content + "\n")} }
	for d, partitions := range disks {
		dir := "block/" + d
		put(dir+"/size", "2097152")
		put(dir+"/queue/logical_block_size", "512")
		for _, p := range partitions {
			f := strings.Fields(p)
			put(dir+"/"+f[0]+"/partition", f[1])
			put(dir+"/"+f[0]+"/size", "2048")
			put(dir+"/"+f[0]+"/dev", "254:"+f[1])
			uevent := "MAJOR=254\nDEVNAME=" + f[0] + "\nPARTN=" + f[1]
			if len(f) > 2 {
				uevent += "\nPARTNAME=" + strings.Join(f[2:], " ")
			}
			put(dir+"/"+f[0]+"/uevent", uevent)
		}
	}
	return fsys
}

func TestChoose(t *testing.T) {
	ours := []string{"vda1 1 coracle-boot", "vda2 2 coracle-a", "vda3 3 coracle-b"}
	card := []string{"mmcblk0p1 1", "mmcblk0p2 2", "mmcblk0p3 3", "mmcblk0p4 4"}
	ids := func(signature string) map[int]string {
		return map[int]string{1: signature + "-01", 2: signature + "-02", 3: signature + "-03", 4: signature + "-04"}
	}
	for name, test := range map[string]struct {
		disks    map[string][]string
		uuids    map[string]map[int]string
		boot     string // empty: boot-id
		slot     string
		want     []string // disk boot slot device
		problems int
	}{
		"slot a": {
			disks: map[string][]string{"vda": ours, "sda": {"sda1 1 data"}},
			uuids: map[string]map[int]string{"vda": {1: "boot-id", 2: "x"}},
			slot:  "a", want: []string{"/dev/vda /dev/vda1 /dev/vda2 254:2"},
		},
		"slot b": {
			disks: map[string][]string{"vda": ours},
			uuids: map[string]map[int]string{"vda": {1: "boot-id"}},
			slot:  "b", want: []string{"/dev/vda /dev/vda1 /dev/vda3 254:3"},
		},
		"another Coracle disk": {
			disks: map[string][]string{"vda": ours, "nvme0n1": {"nvme0n1p1 1 coracle-boot", "nvme0n1p2 2 coracle-a"}},
			uuids: map[string]map[int]string{"vda": {1: "other"}, "nvme0n1": {1: "boot-id"}},
			slot:  "a", want: []string{"/dev/nvme0n1 /dev/nvme0n1p1 /dev/nvme0n1p2 254:2"},
		},
		"a copy": {
			disks: map[string][]string{"vda": ours, "vdb": {"vdb1 1 coracle-boot", "vdb2 2 coracle-a"}},
			uuids: map[string]map[int]string{"vda": {1: "boot-id"}, "vdb": {1: "boot-id"}},
			slot:  "a", want: []string{"/dev/vda /dev/vda1 /dev/vda2 254:2", "/dev/vdb /dev/vdb1 /dev/vdb2 254:2"},
		},
		"no slot b yet": {
			disks: map[string][]string{"vda": ours[:2]},
			uuids: map[string]map[int]string{"vda": {1: "boot-id"}},
			slot:  "b",
		},
		"MBR, slot a": {
			disks: map[string][]string{"mmcblk0": card},
			uuids: map[string]map[int]string{"mmcblk0": ids("0000cdef")},
			boot:  "0000cdef-01", slot: "a", want: []string{"/dev/mmcblk0 /dev/mmcblk0p1 /dev/mmcblk0p2 254:2"},
		},
		"MBR, slot b": {
			disks: map[string][]string{"mmcblk0": card},
			uuids: map[string]map[int]string{"mmcblk0": ids("0000cdef")},
			boot:  "0000cdef-01", slot: "b", want: []string{"/dev/mmcblk0 /dev/mmcblk0p1 /dev/mmcblk0p3 254:3"},
		},
		"MBR, as flashed, no slot b": {
			disks: map[string][]string{"mmcblk0": card[:2]},
			uuids: map[string]map[int]string{"mmcblk0": ids("0000cdef")},
			boot:  "0000cdef-01", slot: "b",
		},
		"MBR, beside one with another signature": {
			disks: map[string][]string{"mmcblk0": card, "sda": {"sda1 1", "sda2 2"}},
			uuids: map[string]map[int]string{"mmcblk0": ids("0000cdef"), "sda": ids("12345678")},
			boot:  "12345678-01", slot: "a", want: []string{"/dev/sda /dev/sda1 /dev/sda2 254:2"},
		},
		"MBR, a copy on a stick": {
			disks: map[string][]string{"mmcblk0": card, "sda": {"sda1 1", "sda2 2"}},
			uuids: map[string]map[int]string{"mmcblk0": ids("12345678"), "sda": ids("12345678")},
			boot:  "12345678-01", slot: "a", want: []string{"/dev/mmcblk0 /dev/mmcblk0p1 /dev/mmcblk0p2 254:2", "/dev/sda /dev/sda1 /dev/sda2 254:2"},
		},
		"MBR, beside a GPT of Coracle": {
			disks: map[string][]string{"mmcblk0": card, "vda": ours},
			uuids: map[string]map[int]string{"mmcblk0": ids("12345678"), "vda": {1: "boot-id"}},
			boot:  "12345678-01", slot: "a", want: []string{"/dev/mmcblk0 /dev/mmcblk0p1 /dev/mmcblk0p2 254:2"},
		},
		"no table": {disks: map[string][]string{"vda": ours}, slot: "a", problems: 1},
		"no disk":  {slot: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			places, problems := choose(findDisks(system(test.disks)), func(d disk) (map[int]string, error) {
				if test.uuids[d.name] == nil {
					return nil, errors.New("unreadable")
				}
				return test.uuids[d.name], nil
			}, arguments{slot: test.slot, boot: cmp.Or(test.boot, "boot-id")})
			var got []string
			for _, p := range places {
				if p.size != 1<<20 {
					t.Errorf("slot has %d bytes, want 1 MiB", p.size)
				}
				got = append(got, strings.Join([]string{p.disk, p.boot, p.slot, p.device}, " "))
			}
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("places = %q, want %q", got, test.want)
			}
			if len(problems) != test.problems {
				t.Errorf("problems = %v, want %d", problems, test.problems)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	fsys := system(map[string][]string{"vda": {"vda1 1 coracle-boot", "vda2 2 coracle-a"}, "sda": nil, "mmcblk0": {"mmcblk0p1 1", "mmcblk0p2 2"}})
	fsys["block/sr0/size"] = &fstest.MapFile{Data: []byte("0\n")}
	got := describe(findDisks(fsys))
	if want := "mmcblk0 1.0 GiB (partitions 1, 2), sda 1.0 GiB (no partition), vda 1.0 GiB (coracle-boot, coracle-a)"; got != want {
		t.Errorf("describe = %q, want %q", got, want)
	}
	if got := describe(nil); got != "none" {
		t.Errorf("describe(nil) = %q", got)
	}
}
