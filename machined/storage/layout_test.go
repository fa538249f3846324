package storage

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/storage/partitions"
	"golang.org/x/sys/unix"
)

const (
	mib     = 1 << 20
	perMiB  = mib / 512
	slotMiB = 256
)

// part is a partition of a test, in MiB.
type part struct {
	number      int
	name        string
	first, size uint64
}

var flashed = []part{{1, "coracle-boot", 1, 64}, {2, slotAName, 65, slotMiB}}

func makeTable(t *testing.T, diskMiB uint64, parts ...part) *partitions.Table {
	t.Helper()
	table := &partitions.Table{SectorSize: 512, Sectors: diskMiB * perMiB, FirstUsable: 34, LastUsable: diskMiB*perMiB - 34, Partitions: make([]partitions.Partition, 128)}
	for _, p := range parts {
		if err := table.Add(p.number, p.name, partitions.TypeLinux, partitions.Extent{First: p.first * perMiB, Last: (p.first+p.size)*perMiB - 1}); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

func TestLayOut(t *testing.T) {
	tests := []struct {
		name  string
		disk  uint64
		parts []part
		want  []part // of slot B and DATA
		err   string
	}{
		{"as flashed", 4096, flashed, []part{{3, slotBName, 321, 256}, {4, unmadeName, 577, 3518}}, ""},
		{"complete", 4096, append(slices.Clone(flashed), part{3, slotBName, 321, 256}, part{4, dataName, 577, 3518}),
			[]part{{3, slotBName, 321, 256}, {4, dataName, 577, 3518}}, ""},
		{"not yet made", 4096, append(slices.Clone(flashed), part{3, slotBName, 321, 256}, part{4, unmadeName, 577, 3518}),
			[]part{{3, slotBName, 321, 256}, {4, unmadeName, 577, 3518}}, ""},
		{"the disk has grown", 8192, append(slices.Clone(flashed), part{3, slotBName, 321, 256}, part{4, dataName, 577, 3518}),
			[]part{{3, slotBName, 321, 256}, {4, dataName, 577, 7614}}, ""},
		{"a partition of somebody else behind DATA", 8192,
			append(slices.Clone(flashed), part{3, slotBName, 321, 256}, part{4, dataName, 577, 1000}, part{6, "mine", 1577, 100}),
			[]part{{3, slotBName, 321, 256}, {4, dataName, 577, 1000}}, ""},
		{"only DATA is missing", 4096, append(slices.Clone(flashed), part{3, slotBName, 321, 256}), []part{{3, slotBName, 321, 256}, {4, unmadeName, 577, 3518}}, ""},
		{"the smallest disk", 1091, flashed, []part{{3, slotBName, 321, 256}, {4, unmadeName, 577, 513}}, ""},
		{"too small for slot B", 400, flashed, nil, "it has 400 MiB, the image takes 321 MiB of them, slot B needs 256 MiB and DATA needs 512 MiB; use a disk of at least 1091 MiB"},
		{"too small for DATA", 1000, flashed, nil, "use a disk of at least 1091 MiB"},
		{"not Coracle's", 4096, []part{{1, "EFI", 1, 100}}, nil, "it has no partition coracle-a"},
		{"number 3 is taken", 4096, append(slices.Clone(flashed), part{3, "mine", 3000, 10}), nil, `partition number 3 is taken by "mine"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			table := makeTable(t, test.disk, test.parts...)
			before := table.Clone()
			got, notes, err := layOut(table)
			if !slices.Equal(table.Partitions, before.Partitions) {
				t.Error("the table that was given changed")
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
			for _, want := range test.want {
				p := got.Partition(want.number)
				if p.Name() != want.name || p.First != want.first*perMiB || p.Sectors() != want.size*perMiB {
					t.Errorf("partition %d is %q, %d MiB at %d; want %+v", want.number, p.Name(), p.Sectors()/perMiB, p.First/perMiB, want)
				}
			}
			if changed := !slices.Equal(got.Partitions, before.Partitions); changed != (len(notes) > 0) {
				t.Errorf("changed: %v, but the notes are %q", changed, notes)
			}
			// Whatever was decided, deciding again changes nothing.
			if again, notes, err := layOut(got); err != nil || len(notes) > 0 || !slices.Equal(again.Partitions, got.Partitions) {
				t.Errorf("a second time: %q, %v", notes, err)
			}
		})
	}
}

func TestTellKernel(t *testing.T) {
	table := makeTable(t, 4096, flashed...)
	same := map[int]extent{1: {1 * mib, 64 * mib}, 2: {65 * mib, slotMiB * mib}}
	tests := []struct {
		name   string
		change func(map[int]extent)
		want   []blkpg
		err    string
	}{
		{"the same", func(map[int]extent) {}, nil, ""},
		{"one is missing", func(m map[int]extent) { delete(m, 2) }, []blkpg{{unix.BLKPG_ADD_PARTITION, 2, same[2]}}, ""},
		{"one is larger now", func(m map[int]extent) { m[2] = extent{65 * mib, mib} }, []blkpg{{unix.BLKPG_RESIZE_PARTITION, 2, same[2]}}, ""},
		{"one is elsewhere", func(m map[int]extent) { m[2] = extent{66 * mib, slotMiB * mib} }, nil, "reboot"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			known := maps.Clone(same)
			test.change(known)
			got, err := tellKernel(table, known)
			if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error is %v, want %q", err, test.err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
