package disk

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/storage/partitions"
)

// What is written here is what the machine reads.
func TestMBRIsTheContract(t *testing.T) {
	at := MBR.layout(200 * mib)
	sector := func(identity string) []byte {
		t.Helper()
		f, err := os.Create(filepath.Join(t.TempDir(), "disk.img"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := writeMBR(f, at, identity); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(f.Name())
		if err != nil || len(b) != sectorSize {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		return b
	}
	one := sector("one")
	image := make([]byte, mib)
	copy(image, one)
	table, _, err := partitions.Read(bytes.NewReader(image), int64(at.image), sectorSize)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		number      int
		name        string
		start, size uint64
	}{
		{1, "coracle-boot", 4 * mib, BootSize},
		{2, "coracle-a", 68 * mib, 200 * mib},
	} {
		p := table.Partition(want.number)
		if p.Name() != want.name || p.First*sectorSize != want.start || p.Sectors()*sectorSize != want.size {
			t.Errorf("%q from sector %d, %d sectors; want %+v", p.Name(), p.First, p.Sectors(), want)
		}
	}
	for _, number := range []int{3, 4} {
		if table.Partition(number).Used() {
			t.Errorf("partition %d is there: the machine makes it", number)
		}
	}
	if boot := one[446:462]; boot[0] != 0x80 || boot[4] != 0x0c || one[462] != 0 {
		t.Errorf("BOOT is not the active partition with FAT32, or not the only one: % x", one[446:478])
	}
	if at.image != 268*mib {
		t.Errorf("the image has %d bytes; nothing comes after slot A", at.image)
	}

	signature := func(sector []byte) uint32 { return binary.LittleEndian.Uint32(sector[440:]) }
	again, other := sector("one"), sector("other")
	if !bytes.Equal(one, again) {
		t.Error("the MBR differs from build to build")
	}
	if signature(one) == 0 || signature(one) == signature(other) {
		t.Errorf("signatures %08x, and of other content %08x", signature(one), signature(other))
	}
	if err := writeMBR(nil, MBR.layout(2<<40), "one"); err == nil || !strings.Contains(err.Error(), "2 TiB") {
		t.Errorf("a slot of 2 TiB: error %v", err)
	}
}
