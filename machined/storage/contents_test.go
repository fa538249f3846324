package storage

import (
	"bytes"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/storage/partitions"
)

// content is a disk in memory.
type content []byte

func (c content) ReadAt(b []byte, at int64) (int, error)  { return bytes.NewReader(c).ReadAt(b, at) }
func (c content) WriteAt(b []byte, at int64) (int, error) { return copy(c[at:], b), nil }
func (c content) Sync() error                             { return nil }

func TestContents(t *testing.T) {
	const size = 4 * mib
	table := func(c content, names ...string) *partitions.Table {
		t := &partitions.Table{DiskID: partitions.NewGUID(), SectorSize: 512, Sectors: size / 512, FirstUsable: 34, LastUsable: size/512 - 34, Partitions: make([]partitions.Partition, 128)}
		for i, name := range names {
			t.Add(i+1, name, partitions.TypeLinux, partitions.Extent{First: uint64(i+1) * perMiB, Last: uint64(i+2)*perMiB - 1})
		}
		t.WriteNew(c, make([]byte, 512))
		return t
	}
	at := func(where int, text string) func(content) {
		return func(c content) { copy(c[(where+size)%size:], text) }
	}
	tests := []struct {
		name  string
		make  func(content)
		want  string // part of what is held; empty: nothing
		whole bool
	}{
		{"empty", func(content) {}, "", false},
		{"data that is not looked at", at(2*mib, "something"), "", false},
		{"a GPT", func(c content) { table(c, "EFI", ""); copy(c[2*mib:], ext4("root")) }, `a GPT with partitions 1 EFI, 2 (ext4, label "root")`, false},
		{"Coracle", func(c content) { table(c, "coracle-boot", "coracle-a") }, "a GPT with partitions 1 coracle-boot, 2 coracle-a", true},
		{"a copy that was not finished", func(c content) { table(c, "coracle-boot", "coracle-a"); clear(c[:512]) }, "2 coracle-a", false},
		{"Coracle with a damaged primary", func(c content) { table(c, "coracle-boot", "coracle-a"); c[600]++ }, "2 coracle-a", false},
		{"a GPT without partitions", func(c content) { table(c) }, "a GPT without partitions", false},
		{"both copies of a GPT are damaged", func(c content) { table(c, "x"); c[600]++; c[size-500]++ }, "a partition table that cannot be used", false},
		{"only the backup of a GPT, damaged", func(c content) { table(c, "x"); clear(c[:34*512]); c[size-500]++ }, "the backup of a GPT", false},
		{"an MBR", func(c content) {
			e := c[446:]
			e[4], e[9], e[12] = 0x07, 8, 100
			c[510], c[511] = 0x55, 0xaa
			copy(c[2048*512+3:], "NTFS    ")
		}, "an MBR with partitions 1 (NTFS)", false},
		{"ext4 on the whole disk", func(c content) { copy(c, ext4("mine")) }, `ext4, label "mine"`, false},
		{"FAT on the whole disk", func(c content) { copy(c, fat16("STICK", "STICK")) }, "vfat", false},
		{"encrypted", at(0, "LUKS\xba\xbe"), "LUKS", false},
		{"Btrfs", at(64<<10+64, "_BHRfS_M"), "Btrfs", false},
		{"LVM", at(512, "LABELONE"), "LVM", false},
		{"swap", at(4086, "SWAPSPACE2"), "swap", false},
		{"RAID at the end", at(-8192, raidMagic), "RAID", false},
		{"RAID of the first version", at(-64<<10, raidMagic), "RAID", false},
		{"RAID of the firmware", at(-1024, "Intel Raid ISM Cfg Sig. "), "RAID", false},
		{"a copy of what is in front of the partitions, not finished", at(512, "loader"), "", false},
		{"who knows", at(16<<10, "vdev"), "not known", false},
	}
	source := make(content, size)
	copy(source[512:], "loader")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := make(content, size)
			test.make(c)
			got, err := LookAt(c, size, 512, source)
			if err != nil || got.Whole != test.whole || (got.Held == "") != (test.want == "") || !strings.Contains(got.Held, test.want) {
				t.Errorf("%+v, %v; want %q, whole: %v", got, err, test.want, test.whole)
			}
		})
	}
}
