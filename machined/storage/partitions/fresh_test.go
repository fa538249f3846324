package partitions

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// sourceOf is a disk with BOOT, slot A and DATA, the kind of which is in its name.
func sourceOf(t *testing.T, kind string) *memory {
	t.Helper()
	if kind == "MBR" {
		return card(60000, flashedCard...)
	}
	d := newMemory(60000)
	copy(d.durable, "boot code")
	table := &Table{DiskID: NewGUID(), SectorSize: sector, Sectors: 60000, FirstUsable: 34, LastUsable: 60000 - 34, Partitions: make([]Partition, 128)}
	for i, name := range []string{"coracle-boot", "coracle-a"} {
		first := uint64(2048 + i*8192)
		if err := table.Add(i+1, name, TypeLinux, Extent{first, first + 8191}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(table.Add(4, "coracle-data", TypeLinux, Extent{20480, 40959}), table.WriteNew(d, make([]byte, sector))); err != nil {
		t.Fatal(err)
	}
	copy(d.durable, "boot code")
	return d
}

func TestTableOfACopy(t *testing.T) {
	for _, kind := range []string{"GPT", "MBR"} {
		for _, sectors := range []int{30000, 90000} {
			t.Run(kind, func(t *testing.T) {
				source := sourceOf(t, kind)
				old, _ := read(t, source)
				table, err := old.For(uint64(sectors*sector), "coracle-boot", "coracle-a")
				if err != nil {
					t.Fatal(err)
				}
				if table.ID() == old.ID() || table.PARTUUID(1) == old.PARTUUID(1) || table.Find("coracle-data") != 0 {
					t.Errorf("%+v is not one of its own", table)
				}
				d := newMemory(sectors)
				if there, err := Announced(d, sector); there || err != nil {
					t.Errorf("an empty disk has a table: %v", err)
				}
				// Whatever of the writes is lost, there is no table before the last sync.
				last := false
				d.synced = func(before []byte, pending map[int][]byte) {
					if _, front := pending[0]; front {
						last = true
						if len(pending) != 1 {
							t.Errorf("sector 0 is written with %d others", len(pending)-1)
						}
					} else if last {
						t.Error("something is written after sector 0")
					}
				}
				if err := table.WriteNew(d, source.durable[:sector]); err != nil || !last {
					t.Fatal(err, last)
				}
				got, health := read(t, d)
				if !health.Good() || got.ID() != table.ID() || got.Find("coracle-a") != 2 || got.Partition(2).First != old.Partition(2).First {
					t.Errorf("%+v, %+v", got, health)
				}
				if there, err := Announced(d, sector); !there || err != nil {
					t.Errorf("it has no table: %v", err)
				}
				if !bytes.Equal(d.durable[:bootCode], source.durable[:bootCode]) {
					t.Error("the boot code is another")
				}
				if kind == "MBR" && mbrEntryAt(d.durable, 0)[0] != 0x80 {
					t.Error("BOOT is no longer active")
				}
			})
		}
	}
}

func TestTableOfACopyThatDoesNotFit(t *testing.T) {
	for _, kind := range []string{"GPT", "MBR"} {
		old, _ := read(t, sourceOf(t, kind))
		for _, sectors := range []uint64{1, 100, 12000} {
			if _, err := old.For(sectors*sector, "coracle-boot", "coracle-a"); err == nil || !strings.Contains(err.Error(), "disk") {
				t.Errorf("%s on %d sectors: %v", kind, sectors, err)
			}
		}
	}
}
