package storage

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Volumes are made by hand here as the specifications have them; those of mkfs.vfat and genisoimage read the same.

func fat16(bootLabel, rootLabel string) []byte {
	b := make([]byte, 64<<10)
	copy(b, []byte{0xeb, 0x3c, 0x90})
	b[12] = 2                                 // 512 bytes a sector
	b[13], b[14], b[16] = 4, 1, 2             // sectors a cluster, reserved, FATs
	binary.LittleEndian.PutUint16(b[17:], 64) // root entries
	binary.LittleEndian.PutUint16(b[22:], 16) // sectors a FAT
	b[38] = 0x29
	copy(b[43:54], bootLabel+"           ")
	copy(b[54:], "FAT16   ")
	b[510], b[511] = 0x55, 0xaa
	root := b[(1+2*16)*512:]
	copy(root, "\xe5LD        \x08")                  // deleted
	copy(root[32:], "Am\x00a\x00c\x00h\x00i\x00\x0f") // long name
	copy(root[64:], "MACHIN~1YAM\x20")
	if rootLabel != "" {
		copy(root[96:107], rootLabel+"           ")
		root[107] = 0x08
	}
	return b
}

func fat32(bootLabel, rootLabel string) []byte {
	b := make([]byte, 64<<10)
	copy(b, []byte{0xeb, 0x58, 0x90})
	b[12] = 2
	b[13], b[14], b[16] = 1, 32, 2
	binary.LittleEndian.PutUint32(b[36:], 10) // sectors a FAT
	binary.LittleEndian.PutUint32(b[44:], 3)  // root cluster
	b[66] = 0x29
	copy(b[71:82], bootLabel+"           ")
	b[510], b[511] = 0x55, 0xaa
	if rootLabel != "" {
		root := b[(32+2*10+1)*512:]
		copy(root[:11], rootLabel+"           ")
		root[11] = 0x08
	}
	return b
}

func iso(label string) []byte {
	b := make([]byte, 20*2048)
	d := b[16*2048:]
	d[0] = 1
	copy(d[1:], "CD001\x01")
	copy(d[40:72], label+strings.Repeat(" ", 32))
	return b
}

func ext4(label string) []byte {
	b := make([]byte, 4096)
	binary.LittleEndian.PutUint16(b[1024+0x38:], 0xef53)
	copy(b[1024+0x78:], label)
	return b
}

func TestProbe(t *testing.T) {
	tests := []struct {
		name  string
		image []byte
		want  volume
	}{
		{"FAT16, label in both places", fat16("CORACLE", "CORACLE"), volume{"vfat", "CORACLE"}},
		{"FAT16, label in the root directory only", fat16("NO NAME", "CORACLE"), volume{"vfat", "CORACLE"}},
		{"FAT16, label in the boot sector only", fat16("CORACLE", ""), volume{"vfat", "CORACLE"}},
		{"FAT32, label in the root directory only", fat32("NO NAME", "CORACLE"), volume{"vfat", "CORACLE"}},
		{"FAT32, label in the boot sector only", fat32("CORACLE", ""), volume{"vfat", "CORACLE"}},
		{"ISO 9660", iso("CORACLE"), volume{"iso9660", "CORACLE"}},
		{"ext4", ext4("CORACLE"), volume{"ext4", "CORACLE"}},
		{"nothing", make([]byte, 64<<10), volume{}},
		{"too short", []byte{1, 2, 3}, volume{}},
		{"a GRUB boot sector", append([]byte{0xeb, 0x63}, fat16("", "")[2:11]...), volume{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := probe(bytes.NewReader(test.image)); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func FuzzProbe(f *testing.F) {
	for _, image := range [][]byte{fat16("CORACLE", ""), fat32("CORACLE", "X"), iso("CORACLE"), ext4("CORACLE")} {
		f.Add(image[:min(len(image), 34<<10)])
	}
	f.Fuzz(func(t *testing.T, image []byte) {
		v := probe(bytes.NewReader(image))
		if v.kind == "" && v.label != "" {
			t.Errorf("a label %q of nothing", v.label)
		}
	})
}

func TestSuperblock(t *testing.T) {
	tests := []struct {
		name     string
		state    uint16
		incompat uint32
		check    bool
	}{
		{"clean", 1, 0x2c2, false},
		{"power cut", 1, 0x2c6, true},
		{"errors", 3, 0x2c2, true},
		{"not unmounted, no journal", 0, 0x2c2, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := ext4("X")[1024:2048]
			le := binary.LittleEndian
			le.PutUint16(b[0x3a:], test.state)
			le.PutUint32(b[0x60:], test.incompat)
			le.PutUint32(b[0x4:], 0x10)
			le.PutUint32(b[0x150:], 1)
			le.PutUint32(b[0x18:], 2)
			s, err := parseSuperblock(b)
			if err != nil || s.needsCheck() != test.check || s.size != (1<<32+0x10)*4096 {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

func TestMountedOn(t *testing.T) {
	const info = `22 28 0:20 / /sys rw,relatime shared:7 - sysfs sysfs rw
30 28 252:4 / /var rw,noatime shared:8 - ext4 /dev/vda4 rw
31 30 0:40 / /var/lib/kubelet/pods rw shared:9 - tmpfs tmpfs rw
`
	for dir, want := range map[string]string{"/var": "252:4", "/va": "", "/run/coracle/media": ""} {
		if got := mountedOn(strings.NewReader(info), dir); got != want {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
	}
}

func TestSpaceProblem(t *testing.T) {
	tests := []struct {
		name  string
		space Space
		want  string
	}{
		{"plenty", Space{Size: 10 << 30, Free: 5 << 30, Inodes: 100, FreeInodes: 50}, ""},
		{"full", Space{Size: 10 << 30, Free: 0, Inodes: 100, FreeInodes: 50}, "100 % of DATA's 10.0 GiB are full"},
		{"no inodes", Space{Size: 10 << 30, Free: 5 << 30, Inodes: 100, FreeInodes: 1}, "99 % of its inodes"},
		{"read-only", Space{Size: 10 << 30, Free: 5 << 30, Inodes: 100, FreeInodes: 50, ReadOnly: true}, "read-only"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.space.Problem(); test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestSpaceProblemChangesWithThePercentage(t *testing.T) {
	space := func(free, inodes uint64) string {
		return Space{Size: 10_000 << 20, Free: free << 20, Inodes: 100_000, FreeInodes: inodes}.Problem()
	}
	if a, b := space(499, 50_000), space(401, 50_000); a != b {
		t.Errorf("both are 95 %%: %q, %q", a, b)
	}
	if a, b := space(5000, 4990), space(5000, 4010); a != b {
		t.Errorf("both are 95 %%: %q, %q", a, b)
	}
	if a, b := space(499, 50_000), space(399, 50_000); a == b {
		t.Errorf("95 and 96 %%: %q", a)
	}
}

func TestMetErrors(t *testing.T) {
	sys := t.TempDir()
	for name, count := range map[string]string{"vda4": "0\n", "mmcblk0p4": "2\n", "cciss!c0d0p4": "1\n"} {
		os.Mkdir(filepath.Join(sys, name), 0o755)
		os.WriteFile(filepath.Join(sys, name, "errors_count"), []byte(count), 0o644)
	}
	for device, want := range map[string]bool{"/dev/vda4": false, "/dev/mmcblk0p4": true, "/dev/cciss/c0d0p4": true, "/dev/none": false} {
		space, err := usage(t.TempDir(), sys, device)
		if err != nil || space.ReadOnly != want {
			t.Errorf("%s: %+v, %v", device, space, err)
		}
	}
}
