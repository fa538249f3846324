package disk

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"

	"github.com/coracle-os/coracle/images/slot"
)

func TestBootSector(t *testing.T) {
	boot := bytes.Repeat([]byte{0xee}, sectorSize)
	code, err := bootSector(boot, 34)
	if err != nil {
		t.Fatal(err)
	}
	if len(code) != bootCodeSize {
		t.Errorf("%d bytes, the partition table starts after %d", len(code), bootCodeSize)
	}
	if got := binary.LittleEndian.Uint64(code[0x5c:]); got != 34 {
		t.Errorf("core.img is looked for at sector %d", got)
	}
	if code[0x66] != 0x90 || code[0x67] != 0x90 {
		t.Errorf("the check of the boot drive is still there: % x", code[0x66:0x68])
	}
	if boot[0x66] != 0xee {
		t.Error("the original was changed")
	}
	if _, err := bootSector(boot[:100], 34); err == nil {
		t.Error("a short boot.img: no error")
	}
}

func TestCoreImage(t *testing.T) {
	core := make([]byte, 3*sectorSize-7)
	binary.LittleEndian.PutUint16(core[0x1fc:], 2)
	got, err := coreImage(core, 34, coreRoom)
	if err != nil {
		t.Fatal(err)
	}
	if start := binary.LittleEndian.Uint64(got[0x1f4:]); start != 35 {
		t.Errorf("the rest is looked for at sector %d, want 35", start)
	}
	for want, test := range map[string]struct {
		core []byte
		room uint64
	}{
		"only":           {core[:sectorSize], coreRoom},
		"its partition":  {core, 1024},
		"format changed": {make([]byte, 3*sectorSize), coreRoom},
	} {
		if _, err := coreImage(test.core, 34, test.room); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// without has no tools.
type without struct{}

func (without) Command(ctx context.Context, name string, _ ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "/nonexistent/"+name)
}
func (without) Dir(string) string { return "/nonexistent" }

// A slot's record is in the last bytes of its partition.
func TestWriteLeavesRoomForTheRecord(t *testing.T) {
	for _, test := range []struct {
		image, partition int64
		fits             bool
	}{
		{2*mib - slot.RecordSize, 2 * mib, true},
		{2*mib - slot.RecordSize + 1, 2 * mib, false},
		{2 * mib, 2 * mib, false},
		{mib, 2*mib + 512, false},
		{0, 0, false},
	} {
		image := filepath.Join(t.TempDir(), "slot.img")
		if err := os.WriteFile(image, make([]byte, test.image), 0o644); err != nil {
			t.Fatal(err)
		}
		err := Write(t.Context(), without{}, filepath.Join(t.TempDir(), "disk.img"), Spec{Arch: "amd64", Slot: image, SlotSize: uint64(test.partition)})
		if err == nil || strings.Contains(err.Error(), "needs a partition") == test.fits {
			t.Errorf("an image of %d bytes for a partition of %d: error %v", test.image, test.partition, err)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	image := filepath.Join(t.TempDir(), "slot.img")
	if err := os.WriteFile(image, make([]byte, mib), 0o644); err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]Spec{
		`architecture "mips"`: {Arch: "mips", SlotSize: 4 * mib},
		`table "apm"`:         {Arch: "arm64", Table: "apm", SlotSize: 4 * mib},
		"BIOS too":            {Arch: "amd64", Table: MBR, SlotSize: 4 * mib},
		"multiple of 4 MiB":   {Arch: "arm64", Table: MBR, SlotSize: 6 * mib},
	} {
		s.Slot = image
		if err := Write(t.Context(), without{}, filepath.Join(t.TempDir(), "disk.img"), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestTableIsTheContract(t *testing.T) {
	type partition struct {
		number     int
		name       string
		start, end uint64
	}
	want := []partition{
		{1, "coracle-boot", 2048, 2048 + 131072 - 1},
		{2, "coracle-a", 133120, 133120 + 409600 - 1},
		{5, "coracle-bios", 34, 2047},
	}
	tableOf := func(identity string) *gpt.Table {
		return gptTable(byArchitecture["amd64"], GPT.layout(200*mib), identity)
	}
	one, other := tableOf("one"), tableOf("other")
	if len(one.Partitions) != len(want) {
		t.Fatalf("%d partitions, want %d", len(one.Partitions), len(want))
	}
	guids := map[string]bool{one.GUID: true}
	for i, p := range one.Partitions {
		if got := (partition{p.Index, p.Name, p.Start, p.End}); got != want[i] {
			t.Errorf("partition %+v, want %+v", got, want[i])
		}
		if guids[p.GUID] {
			t.Errorf("GUID %s is there twice", p.GUID)
		}
		guids[p.GUID] = true
		if p.GUID != tableOf("one").Partitions[i].GUID {
			t.Errorf("GUID of %s differs from build to build", p.Name)
		}
		if p.GUID == other.Partitions[i].GUID {
			t.Errorf("GUID of %s is the same in other content", p.Name)
		}
	}
}

// Of an architecture without BIOS the disk has no partition for its loader, and a type of slot of its own.
func TestTableOfARM(t *testing.T) {
	for _, arch := range []string{"arm64", "arm"} {
		l := byArchitecture[arch]
		partitions := gptTable(l, GPT.layout(200*mib), "one").Partitions
		if len(partitions) != 2 || partitions[1].Name != "coracle-a" || partitions[1].Type != l.slot || l.slot == gpt.LinuxRootX86_64 {
			t.Errorf("%s: %+v", arch, partitions)
		}
	}
}
