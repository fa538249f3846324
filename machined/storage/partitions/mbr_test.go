package partitions

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	diskmbr "github.com/diskfs/go-diskfs/partition/mbr"
)

// entry is a partition of an MBR.
type entry struct {
	kind          byte
	start, length uint32
}

// flashedCard is what the image for a Raspberry Pi has: BOOT and slot A, 4 MiB each.
var flashedCard = []entry{{mbrFAT, 2048, 8192}, {mbrNoFS, 10240, 8192}}

// card is a disk with an MBR, with boot code in it and flags and cylinders of a tool's own.
func card(sectors int, entries ...entry) *memory {
	d := newMemory(sectors)
	for i := range mbrID {
		d.durable[i] = byte(i)
	}
	copy(d.durable[mbrID:], []byte{0x78, 0x56, 0x34, 0x12, 1, 2})
	for i, e := range entries {
		b := mbrEntryAt(d.durable, i)
		copy(b, []byte{0x80 * byte(1&^i), 1, 2, 3, e.kind, 4, 5, 6})
		binary.LittleEndian.PutUint32(b[8:], e.start)
		binary.LittleEndian.PutUint32(b[12:], e.length)
	}
	d.durable[mbrSignature], d.durable[mbrSignature+1] = 0x55, 0xaa
	return d
}

func TestMBRNames(t *testing.T) {
	b, data := entry{mbrNoFS, 18432, 8192}, entry{mbrLinux, 26624, 4096}
	unmade := entry{mbrNoFS, 26624, 4096}
	tests := []struct {
		name    string
		entries []entry
		want    string // names by number
	}{
		{"as flashed", flashedCard, "coracle-boot coracle-a"},
		{"2 has another type", []entry{{mbrFAT, 2048, 8192}, {mbrLinux, 10240, 8192}, {mbrLinux, 18432, 8192}, data}, "coracle-boot - - -"},
		{"after the first boot", append(slices.Clone(flashedCard), b, data), "coracle-boot coracle-a coracle-b coracle-data"},
		{"DATA is not made yet", append(slices.Clone(flashedCard), b, unmade), "coracle-boot coracle-a coracle-b coracle-data-new"},
		{"3 has another type", append(slices.Clone(flashedCard), entry{mbrLinux, 18432, 8192}, data), "coracle-boot coracle-a - -"},
		{"3 has another size", append(slices.Clone(flashedCard), entry{mbrNoFS, 18432, 4096}, data), "coracle-boot coracle-a - -"},
		{"3 is elsewhere", append(slices.Clone(flashedCard), entry{mbrNoFS, 30720, 8192}), "coracle-boot coracle-a -"},
		{"4 is elsewhere", append(slices.Clone(flashedCard), b, entry{mbrLinux, 30720, 4096}), "coracle-boot coracle-a coracle-b -"},
		{"4 is FAT", append(slices.Clone(flashedCard), b, entry{mbrFAT, 26624, 4096}), "coracle-boot coracle-a coracle-b -"},
		{"4 is extended", append(slices.Clone(flashedCard), b, entry{0x0f, 26624, 4096}), "coracle-boot coracle-a coracle-b -"},
		{"another system's", []entry{{0x07, 2048, 8192}, {0x05, 10240, 8192}}, "- -"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			table, health := read(t, card(40960, test.entries...))
			if !health.Good() || table.Named() {
				t.Errorf("%+v, named: %v", health, table.Named())
			}
			var names []string
			for _, p := range table.Partitions {
				if name := p.Name(); name != "" {
					names = append(names, name)
				} else if p.Used() {
					names = append(names, "-")
				}
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("names are %s, want %s", got, test.want)
			}
		})
	}
}

func TestPARTUUID(t *testing.T) {
	table, _ := read(t, card(40960, flashedCard...))
	if got, want := table.PARTUUID(1), "12345678-01"; got != want {
		t.Errorf("MBR: %s, want %s", got, want)
	}
	small := card(40960, flashedCard...)
	copy(small.durable[mbrID:], []byte{0xef, 0xcd, 0, 0})
	table, _ = read(t, small)
	if got, want := table.PARTUUID(2), "0000cdef-02"; got != want {
		t.Errorf("MBR: %s, want %s", got, want)
	}
	table, _ = read(t, flashed(t, 20000))
	if got, want := table.PARTUUID(1), table.Partition(1).ID.String(); got != want || len(got) != 36 {
		t.Errorf("GPT: %s, want %s", got, want)
	}
}

func TestMBRNumber(t *testing.T) {
	for number, name := range map[int]string{0: "", 1: "coracle-boot", 2: "coracle-a", 3: "coracle-b", 4: "coracle-data", 5: ""} {
		if got := MBRName(number); got != name {
			t.Errorf("name of %d: %q, want %q", number, got, name)
		}
		if got := MBRNumber(name); name != "" && got != number {
			t.Errorf("number of %s: %d, want %d", name, got, number)
		}
	}
	if got := MBRNumber("other"); got != 0 {
		t.Errorf("number of another name: %d", got)
	}
}

// TestMBRWrite makes what the first boot does, grows DATA, and looks at each byte and at each state that a power cut can leave.
func TestMBRWrite(t *testing.T) {
	d := card(40960, flashedCard...)
	before := bytes.Clone(d.durable)
	syncs := 0
	d.synced = func(_ []byte, pending map[int][]byte) {
		syncs++
		if got := slices.Collect(maps.Keys(pending)); !slices.Equal(got, []int{0}) {
			t.Errorf("sectors %v are written", got)
		}
	}
	write := func(change func(*Table)) *Table {
		table, health := read(t, d)
		change(table)
		if err := table.Write(d, health); err != nil {
			t.Fatal(err)
		}
		got, _ := read(t, d)
		if !slices.Equal(got.Partitions, table.Partitions) {
			t.Errorf("reads as %+v, want %+v", got.Partitions, table.Partitions)
		}
		return got
	}
	if write(func(*Table) {}); syncs != 0 || !bytes.Equal(d.durable, before) {
		t.Error("a table that did not change was written")
	}
	add := func(table *Table, number int, name string, where Extent) {
		t.Helper()
		if err := table.Add(number, name, table.Partition(2).Type, where); err != nil {
			t.Fatal(err)
		}
	}
	write(func(table *Table) {
		add(table, 3, "coracle-b", Extent{18432, 26623})
		add(table, 4, "coracle-data-new", Extent{26624, 30719})
	})
	want := bytes.Clone(before)
	copy(want[478:], []byte{0, 0xfe, 0xff, 0xff, mbrNoFS, 0xfe, 0xff, 0xff, 0, 0x48, 0, 0, 0, 0x20, 0, 0})
	copy(want[494:], []byte{0, 0xfe, 0xff, 0xff, mbrNoFS, 0xfe, 0xff, 0xff, 0, 0x68, 0, 0, 0, 0x10, 0, 0})
	if syncs != 1 || !bytes.Equal(d.durable, want) {
		t.Errorf("%d syncs; sector 0 is\n% x, want\n% x", syncs, d.durable[mbrID:sector], want[mbrID:sector])
	}
	write(func(table *Table) {
		table.Partition(4).SetName("coracle-data")
		table.Partition(4).Type = GUID{mbrLinux} // which follows
	})
	want[494+4] = mbrLinux
	if syncs != 2 || !bytes.Equal(d.durable, want) {
		t.Errorf("%d syncs; the file system is made: sector 0 is\n% x, want\n% x", syncs, d.durable[mbrID:sector], want[mbrID:sector])
	}
	write(func(table *Table) { table.Partition(4).Last = 40959 })
	copy(want[494+12:], []byte{0, 0x38})
	if syncs != 3 || !bytes.Equal(d.durable, want) {
		t.Errorf("%d syncs; DATA has grown: sector 0 is\n% x, want\n% x", syncs, d.durable[mbrID:sector], want[mbrID:sector])
	}

	// Another implementation reads it as it is meant.
	path := filepath.Join(t.TempDir(), "card")
	if err := os.WriteFile(path, d.durable, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	other, err := diskmbr.Read(f, sector, sector)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range other.Partitions {
		got = append(got, fmt.Sprintf("%02x %d %d %v", byte(p.Type), p.Start, p.Size, p.Bootable))
	}
	if want := []string{"0c 2048 8192 true", "da 10240 8192 false", "da 18432 8192 false", "83 26624 14336 false"}; !slices.Equal(got, want) {
		t.Errorf("another implementation reads %q, want %q", got, want)
	}
}

func TestMBRTypeFollowsName(t *testing.T) {
	d := card(40960, append(slices.Clone(flashedCard), entry{mbrNoFS, 18432, 8192}, entry{mbrLinux, 26624, 4096})...)
	for _, name := range []string{"coracle-data-new", "coracle-data"} {
		table, health := read(t, d)
		table.Partition(4).SetName(name)
		if err := table.Write(d, health); err != nil {
			t.Fatal(err)
		}
		if got, _ := read(t, d); got.Partition(4).Name() != name {
			t.Errorf("it is called %q, want %q", got.Partition(4).Name(), name)
		}
	}
}

func TestMBRSaysWhatIsWrong(t *testing.T) {
	tests := []struct {
		name    string
		entries []entry
		change  func(sector []byte)
		want    string
		is      error
	}{
		{"no signature", flashedCard, func(b []byte) { b[510] = 0 }, "there is no GPT header", nil},
		{"a file system's boot sector", []entry{{0x6e, 1, 2}, {0x20, 3, 4}}, func(b []byte) { b[446] = 0x20 }, "there is no GPT header", nil},
		{"no partition", nil, func([]byte) {}, "there is no GPT header", nil},
		{"a type without sectors", append(slices.Clone(flashedCard), entry{mbrLinux, 18432, 0}), func([]byte) {}, "partition 3 has type 0x83 and 0 sectors", nil},
		{"sectors without a type", append(slices.Clone(flashedCard), entry{0, 18432, 9}), func([]byte) {}, "partition 3 has type 0x00 and 9 sectors", nil},
		{"overlap", append(slices.Clone(flashedCard), entry{mbrNoFS, 18431, 8192}), func([]byte) {}, "partitions 2 and 3 overlap at sector 18431", nil},
		{"over the table", []entry{{mbrFAT, 0, 8192}}, func([]byte) {}, "partition 1 (coracle-boot) has sectors 0 to 8191", ErrOutside},
		{"beyond the disk", append(slices.Clone(flashedCard), entry{0x0f, 30720, 20480}), func([]byte) {},
			"partition 3 (type 0x0f, extended) has sectors 30720 to 51199, but only 1 to 40959 of the disk's 40960 can be used; it takes a disk of at least 26 MiB", ErrOutside},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := card(40960, test.entries...)
			test.change(d.durable)
			_, _, err := Read(d, d.size(), sector)
			if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
}

func TestMBRIsNotOverwritten(t *testing.T) {
	d := card(40960, flashedCard...)
	table, health := read(t, d)
	clear(d.durable[mbrEntries:mbrSignature])
	before := bytes.Clone(d.durable)
	if err := table.Write(d, health); err == nil || !bytes.Equal(d.durable, before) {
		t.Errorf("a table that went away was written again: %v", err)
	}
}

// TestGPTOrMBR has both on a disk, as when an image for a Raspberry Pi is written over one for a PC.
func TestGPTOrMBR(t *testing.T) {
	d := flashed(t, 40960)
	if table, _ := read(t, d); !table.Named() {
		t.Error("a GPT is taken for an MBR")
	}
	copy(d.durable, card(40960, flashedCard...).durable[:sector])
	if table, _ := read(t, d); table.Named() {
		t.Error("a GPT that was there before is in force")
	}
	hybrid := flashed(t, 40960)
	copy(mbrEntryAt(hybrid.durable, 1), []byte{0, 0, 0, 0, mbrFAT, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0})
	if table, _ := read(t, hybrid); !table.Named() {
		t.Error("a hybrid MBR is in force")
	}
}

func TestMBRGeometry(t *testing.T) {
	const tib = 1 << 40
	tests := []struct {
		name        string
		size        int64 // bytes
		sector      int
		last        uint64 // that can be used
		unreachable uint64 // bytes
	}{
		{"32 GB", 31914983424, 512, 62333951, 0},
		{"2 TiB less a sector", 2*tib - 512, 512, 1<<32 - 2, 0},
		{"3 TiB", 3 * tib, 512, 1<<32 - 2, tib + 512},
		{"3 TiB in large sectors", 3 * tib, 4096, 3*tib/4096 - 1, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			table, _, err := Read(card(8, flashedCard...), test.size, test.sector)
			if err != nil {
				t.Fatal(err)
			}
			free := table.Free()
			end := free[len(free)-1].Last
			if table.LastUsable != test.last || table.Unreachable() != test.unreachable || end > test.last || test.last-end >= 2048 {
				t.Errorf("last sector %d, free up to %d, %d bytes beyond; want %d, %d", table.LastUsable, end, table.Unreachable(), test.last, test.unreachable)
			}
			if err := table.Add(3, "coracle-b", table.Partition(2).Type, free[len(free)-1]); err != nil {
				t.Error(err)
			}
		})
	}
}

func FuzzMBR(f *testing.F) {
	complete := append(slices.Clone(flashedCard), entry{mbrNoFS, 18432, 8192}, entry{mbrLinux, 26624, 4096})
	for _, entries := range [][]entry{nil, flashedCard, complete, {{0x0f, 2048, 8192}}, {{mbrFAT, 0, 1<<32 - 1}}} {
		f.Add(card(1, entries...).durable[mbrID:mbrSignature])
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d := card(1)
		copy(d.durable[mbrID:mbrSignature], in)
		before := bytes.Clone(d.durable)
		const size = 40960 * sector
		table, health, err := Read(d, size, sector)
		if err != nil {
			return
		}
		if err := table.Write(d, health); err != nil || !bytes.Equal(d.durable, before) {
			t.Fatalf("a table that was only read is written as another: %v", err)
		}
		for number, free := range table.Free() {
			table.Add(number+1, "coracle-data", TypeLinux, free)
		}
		if err := table.Write(d, health); err != nil {
			t.Fatalf("a table that was read cannot be written: %v", err)
		}
		again, _, err := Read(d, size, sector)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		for i, p := range again.Partitions {
			if was := table.Partitions[i]; p.First != was.First || p.Last != was.Last || p.Type != was.Type {
				t.Fatalf("partition %d is %+v, was written as %+v", i+1, p, was)
			}
		}
	})
}
