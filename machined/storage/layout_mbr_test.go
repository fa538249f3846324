package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/storage/partitions"
)

// firstSector is a disk of which only the sector of the MBR is looked at.
type firstSector [512]byte

func (s *firstSector) ReadAt(b []byte, at int64) (int, error) {
	if at != 0 {
		return 0, io.EOF
	}
	return copy(b, s[:]), nil
}

func (s *firstSector) WriteAt(b []byte, at int64) (int, error) {
	if at != 0 || len(b) != len(s) {
		return 0, errors.New("not the sector of the MBR")
	}
	return copy(s[:], b), nil
}

func (s *firstSector) Sync() error { return nil }

// mbrPart is a partition of a test, in MiB.
type mbrPart struct {
	number      int
	kind        byte
	first, size uint32
}

// Types of partitions in an MBR.
const (
	fatType   = 0x0c
	noFSType  = 0xda
	linuxType = 0x83
)

var (
	flashedCard  = []mbrPart{{1, fatType, 1, 64}, {2, noFSType, 65, slotMiB}}
	completeCard = append(slices.Clone(flashedCard), mbrPart{3, noFSType, 321, slotMiB}, mbrPart{4, linuxType, 577, 3519})
)

func makeMBR(parts ...mbrPart) *firstSector {
	s := new(firstSector)
	copy(s[:], "boot code")
	copy(s[440:], []byte{0x78, 0x56, 0x34, 0x12})
	s[510], s[511] = 0x55, 0xaa
	for _, p := range parts {
		e := s[446+16*(p.number-1):]
		e[4] = p.kind
		binary.LittleEndian.PutUint32(e[8:], p.first*perMiB)
		binary.LittleEndian.PutUint32(e[12:], p.size*perMiB)
	}
	return s
}

func TestLayOutMBR(t *testing.T) {
	with := func(more ...mbrPart) []mbrPart { return append(slices.Clone(flashedCard), more...) }
	slotB := mbrPart{3, noFSType, 321, slotMiB}
	tests := []struct {
		name  string
		disk  int64 // MiB
		parts []mbrPart
		want  []part // of slot B and DATA
		note  string
		err   string
	}{
		{"as flashed", 4096, flashedCard, []part{{3, slotBName, 321, 256}, {4, unmadeName, 577, 3519}}, "made partition 4 (coracle-data, 3.4 GiB)", ""},
		{"after the first boot", 4096, completeCard, []part{{3, slotBName, 321, 256}, {4, dataName, 577, 3519}}, "", ""},
		{"DATA's file system is not made", 4096, with(slotB, mbrPart{4, noFSType, 577, 3519}), []part{{3, slotBName, 321, 256}, {4, unmadeName, 577, 3519}}, "", ""},
		{"only DATA is missing", 4096, with(slotB), []part{{3, slotBName, 321, 256}, {4, unmadeName, 577, 3519}}, "made partition 4", ""},
		{"copied to a larger card", 8192, completeCard, []part{{4, dataName, 577, 7615}}, "partition 4 (coracle-data) grew from 3.4 GiB to 7.4 GiB", ""},
		{"copied to a smaller card", 2048, completeCard, nil, "", "partition 4 (coracle-data) has sectors 1181696 to 8388607"},
		{"3 TiB", 3 << 20, flashedCard, []part{{4, unmadeName, 577, 2<<20 - 578}}, "the last 1024.0 GiB of the disk are not used", ""},
		{"copied to 3 TiB", 3 << 20, completeCard, []part{{4, dataName, 577, 2<<20 - 578}}, "the last 1024.0 GiB of the disk are not used", ""},
		{"aligned to 4 MiB, as the image is", 4096, []mbrPart{{1, fatType, 4, 64}, {2, noFSType, 68, slotMiB}}, []part{{3, slotBName, 324, 256}, {4, unmadeName, 580, 3516}}, "made partition 4", ""},
		{"the smallest disk", 1091, flashedCard, []part{{4, unmadeName, 577, 514}}, "", ""},
		{"too small for slot B", 400, flashedCard, nil, "", "it has 400 MiB, the image takes 321 MiB of them, slot B needs 256 MiB and DATA needs 512 MiB; use a disk of at least 1091 MiB"},
		{"too small for DATA", 1000, flashedCard, nil, "", "use a disk of at least 1091 MiB"},
		{"smaller than the image", 200, flashedCard, nil, "", "it takes a disk of at least 322 MiB"},
		{"another partition 3", 4096, with(mbrPart{3, linuxType, 1000, 2000}), nil, "", `partition number 3 is taken by "type 0x83, Linux"; nothing was changed`},
		{"another partition 3 to the disk's end", 4096, with(mbrPart{3, linuxType, 321, 3775}), nil, "", `partition number 3 is taken by "type 0x83, Linux"`},
		{"another partition 4", 4096, with(mbrPart{4, 0x07, 2000, 2000}), nil, "", `partition number 4 is taken by "type 0x07, NTFS or exFAT"`},
		{"another partition 4 behind slot B", 4096, with(slotB, mbrPart{4, fatType, 577, 1000}), nil, "", `partition number 4 is taken by "type 0x0c, FAT"`},
		{"an extended partition 3", 4096, with(mbrPart{3, 0x0f, 321, 3775}), nil, "", `partition number 3 is taken by "type 0x0f, extended"`},
		{"an extended partition 4", 4096, with(slotB, mbrPart{4, 0x05, 577, 1000}), nil, "", `partition number 4 is taken by "type 0x05, extended"`},
		{"a type that nobody knows", 4096, with(mbrPart{3, 0x42, 1000, 1}), nil, "", `partition number 3 is taken by "type 0x42"`},
		{"not Coracle's", 4096, []mbrPart{{1, 0x07, 1, 4000}}, nil, "", "it has no partition coracle-a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := makeMBR(test.parts...)
			before := *s
			read := func() *partitions.Table {
				t.Helper()
				table, _, err := partitions.Read(s, test.disk*mib, 512)
				if err != nil {
					t.Fatal(err)
				}
				return table
			}
			var got *partitions.Table
			var notes []string
			table, health, err := partitions.Read(s, test.disk*mib, 512)
			if err == nil {
				got, notes, err = layOut(table)
			}
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error is %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Write(s, health); err != nil {
				t.Fatal(err)
			}
			got = read()
			for _, want := range test.want {
				p := got.Partition(want.number)
				if p.Name() != want.name || p.First != want.first*perMiB || p.Sectors() != want.size*perMiB {
					t.Errorf("partition %d is %q, %d MiB at %d; want %+v", want.number, p.Name(), p.Sectors()/perMiB, p.First/perMiB, want)
				}
			}
			if all := strings.Join(notes, "\n"); !strings.Contains(all, test.note) {
				t.Errorf("notes are %q, want %q", all, test.note)
			}
			if changed := *s != before; changed != (len(notes) > 0) {
				t.Errorf("changed: %v, but the notes are %q", changed, notes)
			}
			if !bytes.Equal(s[:446], before[:446]) || !bytes.Equal(s[446:478], before[446:478]) {
				t.Error("boot code, disk signature, BOOT or slot A changed")
			}
			// What was written is known again at the next boot.
			if again, notes, err := layOut(got); err != nil || len(notes) > 0 || !slices.Equal(again.Partitions, got.Partitions) {
				t.Errorf("a second time: %q, %v", notes, err)
			}
		})
	}
}
