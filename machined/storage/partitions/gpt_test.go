package partitions

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sector = 512

// memory is a disk whose writes may be lost, in any order, until Sync.
type memory struct {
	durable []byte
	pending map[int][]byte // sector → content
	synced  func(before []byte, pending map[int][]byte)
}

func newMemory(sectors int) *memory {
	return &memory{durable: make([]byte, sectors*sector), pending: map[int][]byte{}}
}

func (m *memory) ReadAt(b []byte, at int64) (int, error) {
	n, err := bytes.NewReader(m.durable).ReadAt(b, at)
	for s, content := range m.pending {
		if from := s*sector - int(at); from > -sector && from < n {
			copy(b[max(0, from):n], content[max(0, -from):])
		}
	}
	return n, err
}

func (m *memory) WriteAt(b []byte, at int64) (int, error) {
	if at%sector != 0 || len(b)%sector != 0 || int(at)+len(b) > len(m.durable) {
		return 0, fmt.Errorf("write of %d bytes at %d", len(b), at)
	}
	for i := 0; i < len(b); i += sector {
		m.pending[(int(at)+i)/sector] = bytes.Clone(b[i : i+sector])
	}
	return len(b), nil
}

func (m *memory) Sync() error {
	if m.synced != nil {
		m.synced(m.durable, m.pending)
	}
	for s, content := range m.pending {
		copy(m.durable[s*sector:], content)
	}
	clear(m.pending)
	return nil
}

func (m *memory) size() int64 { return int64(len(m.durable)) }

// flashed is a disk as the image leaves it: BIOS boot, BOOT and slot A, with boot code in the MBR.
func flashed(t testing.TB, sectors int) *memory {
	t.Helper()
	d := newMemory(sectors)
	for i := range 440 {
		d.durable[i] = byte(i)
	}
	copy(d.durable[446:], []byte{0x80, 0, 2, 0, protective, 0, 0, 0, 1, 0, 0, 0})
	binary.LittleEndian.PutUint32(d.durable[458:], uint32(sectors-1))
	d.durable[510], d.durable[511] = 0x55, 0xaa
	table := &Table{DiskID: NewGUID(), SectorSize: sector, Sectors: uint64(sectors), FirstUsable: 34, LastUsable: uint64(sectors) - 34,
		Partitions: make([]Partition, 128), entriesLBA: 2}
	for number, p := range map[int]struct {
		name string
		kind GUID
		at   Extent
	}{
		5: {"coracle-bios", TypeBIOSBoot, Extent{34, 2047}},
		1: {"coracle-boot", TypeEFISystem, Extent{2048, 4095}},
		2: {"coracle-a", TypeLinux, Extent{4096, 8191}},
	} {
		if err := table.Add(number, p.name, p.kind, p.at); err != nil {
			t.Fatal(err)
		}
	}
	table.Partition(2).Attributes = 1<<60 | 4
	if err := table.Write(d, Health{}); err != nil {
		t.Fatal(err)
	}
	return d
}

func read(t testing.TB, d *memory) (*Table, Health) {
	t.Helper()
	table, health, err := Read(d, d.size(), sector)
	if err != nil {
		t.Fatal(err)
	}
	return table, health
}

func withData(t testing.TB, old *Table) *Table {
	t.Helper()
	changed := old.Clone()
	free := changed.Free()
	if err := changed.Add(4, "coracle-data", TypeLinux, free[len(free)-1]); err != nil {
		t.Fatal(err)
	}
	return changed
}

func TestWriteKeepsWhatItDoesNotChange(t *testing.T) {
	d := flashed(t, 20000)
	before := bytes.Clone(d.durable)
	table, health := read(t, d)
	if !health.Good() {
		t.Fatalf("health = %+v", health)
	}
	if err := withData(t, table).Write(d, health); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(d.durable[:sector], before[:sector]) {
		t.Error("the MBR changed")
	}
	after, health := read(t, d)
	if !health.Good() {
		t.Errorf("health = %+v", health)
	}
	for _, number := range []int{1, 2, 5} {
		if *after.Partition(number) != *table.Partition(number) {
			t.Errorf("partition %d changed: %+v, was %+v", number, after.Partition(number), table.Partition(number))
		}
	}
	if p := after.Partition(4); p.Name() != "coracle-data" || p.First != 8192 || p.Last != 18431 {
		t.Errorf("partition 4 is %q, %d to %d", p.Name(), p.First, p.Last)
	}
}

// TestPowerCut cuts the power before, within and after every sync of a write, with every subset of the changed
// sectors written, and wants the old table or the new one.
func TestPowerCut(t *testing.T) {
	damage := func(lba int) func(*memory) {
		return func(d *memory) { clear(d.durable[lba*sector : (lba+1)*sector]) }
	}
	tests := map[string]func(*memory){
		"both copies good":        func(*memory) {},
		"primary header damaged":  damage(1),
		"primary entries damaged": damage(2),
		"backup header damaged":   damage(19999),
		"disk has grown":          func(d *memory) { d.durable = append(d.durable, make([]byte, 5000*sector)...) },
		"disk has grown, old primary": func(d *memory) {
			d.durable = append(d.durable, make([]byte, 5000*sector)...)
			clear(d.durable[600:700])
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			d := flashed(t, 20000)
			prepare(d)
			old, health := read(t, d)
			changed := withData(t, old)
			cuts := 0
			d.synced = func(before []byte, pending map[int][]byte) {
				var differ []int
				for s, content := range pending {
					if !bytes.Equal(before[s*sector:(s+1)*sector], content) {
						differ = append(differ, s)
					}
				}
				for subset := range 1 << len(differ) {
					state := &memory{durable: before, pending: map[int][]byte{}}
					for i, s := range differ {
						if subset&(1<<i) != 0 {
							state.pending[s] = pending[s]
						}
					}
					got, _, err := Read(state, state.size(), sector)
					if err != nil {
						t.Fatalf("%d of sectors %v written: %v", subset, differ, err)
					}
					if !slices.Equal(got.Partitions, old.Partitions) && !slices.Equal(got.Partitions, changed.Partitions) {
						t.Fatalf("%d of sectors %v written: neither the old nor the new table", subset, differ)
					}
					cuts++
				}
			}
			if err := changed.Write(d, health); err != nil {
				t.Fatal(err)
			}
			if cuts < 8 {
				t.Errorf("only %d states were tried", cuts)
			}
			got, health := read(t, d)
			if !health.Good() || !slices.Equal(got.Partitions, changed.Partitions) {
				t.Errorf("in the end: %+v", health)
			}
			if end := mbrEnd(d.durable[:sector]); end != got.Sectors-1 {
				t.Errorf("the protective MBR ends at %d of %d", end, got.Sectors)
			}
		})
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(*memory)
		want    string
		is      error
	}{
		{"empty disk", func(d *memory) { clear(d.durable) }, "there is no GPT header", nil},
		{"both headers damaged", func(d *memory) { d.durable[sector+20]++; d.durable[len(d.durable)-sector]++ }, "checksum is wrong", nil},
		{"disk smaller than the image", func(d *memory) { d.durable = d.durable[:6000*sector] }, "partition 2 (coracle-a) has sectors 4096 to 8191", ErrOutside},
		{"tiny disk", func(d *memory) { d.durable = d.durable[:50*sector] }, "too small", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := flashed(t, 20000)
			test.prepare(d)
			_, _, err := Read(d, d.size(), sector)
			if err == nil || !strings.Contains(err.Error(), test.want) || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
}

func TestFree(t *testing.T) {
	tests := []struct {
		name string
		used []Extent
		want []Extent
	}{
		{"nothing used", nil, []Extent{{2048, 18431}}},
		{"gap between", []Extent{{2048, 4095}, {10000, 12000}}, []Extent{{4096, 8191}, {12288, 18431}}},
		{"gap too small", []Extent{{2048, 10000}, {10300, 19000}}, nil},
		{"out of order", []Extent{{8192, 18431}, {2048, 4095}}, []Extent{{4096, 8191}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			table := &Table{SectorSize: sector, Sectors: 20000, FirstUsable: 34, LastUsable: 19966, Partitions: make([]Partition, 128)}
			for i, at := range test.used {
				if err := table.Add(i+1, "x", TypeLinux, at); err != nil {
					t.Fatal(err)
				}
			}
			if got := table.Free(); !slices.Equal(got, test.want) {
				t.Errorf("Free() = %v, want %v", got, test.want)
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	d := flashed(t, 20000)
	table, _ := read(t, d)
	for name, try := range map[string]func() error{
		"a number in use": func() error { return table.Add(2, "x", TypeLinux, Extent{8192, 9000}) },
		"an overlap":      func() error { return table.Add(3, "x", TypeLinux, Extent{8000, 9000}) },
		"beyond the disk": func() error { return table.Add(3, "x", TypeLinux, Extent{8192, 20000}) },
		"number 129":      func() error { return table.Add(129, "x", TypeLinux, Extent{8192, 9000}) },
	} {
		before := table.Clone()
		if err := try(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if !slices.Equal(before.Partitions, table.Partitions) {
			t.Errorf("%s: the table changed", name)
		}
	}
}

func TestGUID(t *testing.T) {
	const text = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	onDisk := GUID{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b}
	if g, err := ParseGUID(strings.ToUpper(text)); err != nil || g != onDisk || g.String() != text {
		t.Errorf("%v, %v", g, err)
	}
	for _, bad := range []string{"", "c12a7328", text + "0", strings.ReplaceAll(text, "-", "x"), strings.Replace(text, "c", "g", 1)} {
		if _, err := ParseGUID(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestSfdisk lets another implementation judge what we write.
func TestSfdisk(t *testing.T) {
	sfdisk, err := exec.LookPath("sfdisk")
	if err != nil {
		t.Skip("sfdisk is not installed")
	}
	d := flashed(t, 20000)
	d.durable = append(d.durable, make([]byte, 5000*sector)...)
	table, health := read(t, d)
	if err := withData(t, table).Write(d, health); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, d.durable, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(sfdisk, "--verify", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "No errors detected.") {
		t.Errorf("sfdisk --verify: %v\n%s", err, out)
	}
	out, err = exec.Command(sfdisk, "--dump", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `start=        8192, size=       16384`) || !strings.Contains(string(out), `name="coracle-data"`) {
		t.Errorf("sfdisk --dump: %v\n%s", err, out)
	}
}

func FuzzRead(f *testing.F) {
	const sectors = 300
	d := newMemory(sectors)
	table := &Table{SectorSize: sector, Sectors: sectors, FirstUsable: 34, LastUsable: sectors - 34, Partitions: make([]Partition, 128), entriesLBA: 2}
	if err := table.Add(1, "coracle-a", TypeLinux, Extent{40, 99}); err != nil {
		f.Fatal(err)
	}
	if err := table.Write(d, Health{}); err != nil {
		f.Fatal(err)
	}
	head, tail := d.durable[:4*sector], d.durable[len(d.durable)-34*sector:]
	f.Add(bytes.Clone(head), bytes.Clone(tail))
	f.Add(bytes.Clone(head), []byte{})
	f.Add([]byte{}, bytes.Clone(tail))
	f.Fuzz(func(t *testing.T, head, tail []byte) {
		d := newMemory(sectors)
		copy(d.durable, head)
		copy(d.durable[max(0, len(d.durable)-len(tail)):], tail)
		seal(d.durable)
		table, health, err := Read(d, d.size(), sector)
		if err != nil {
			return
		}
		table.Free()
		if err := table.Write(d, health); err != nil {
			t.Fatalf("a table that was read cannot be written: %v", err)
		}
		again, health, err := Read(d, d.size(), sector)
		if err != nil || !health.Good() || !slices.Equal(again.Partitions, table.Partitions) {
			t.Fatalf("what was written reads differently: %v, %+v", err, health)
		}
	})
}

// seal makes the primary's checksums true, so that fuzzing gets beyond them.
func seal(disk []byte) {
	h := disk[sector : sector+headerSize]
	count := min(binary.LittleEndian.Uint32(h[80:]), 128)
	binary.LittleEndian.PutUint32(h[88:], crc32.ChecksumIEEE(disk[2*sector:2*sector+count*entrySize]))
	clear(h[16:20])
	binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE(h))
}
