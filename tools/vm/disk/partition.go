package disk

import (
	"fmt"
	"os"

	"github.com/coracle-os/coracle/machined/storage/partitions"
)

const sectorSize = 512 // bytes

// Names of Coracle's partitions (docs/architecture.md).
const (
	Boot  = "coracle-boot"
	SlotA = "coracle-a"
	SlotB = "coracle-b"
	Data  = "coracle-data"
)

// Range is where a partition is on its disk, in bytes.
type Range struct {
	Start, Size int64
}

// Partition finds a partition of the disk at path by its name; on a disk with an MBR, number and type stand for it.
func Partition(path, name string) (Range, error) {
	f, err := os.Open(path)
	if err != nil {
		return Range{}, fmt.Errorf("open disk: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Range{}, fmt.Errorf("open disk %s: %w", path, err)
	}
	table, _, err := partitions.Read(f, info.Size(), sectorSize)
	if err != nil {
		return Range{}, fmt.Errorf("disk %s: %w", path, err)
	}
	number := table.Find(name)
	if number == 0 {
		return Range{}, fmt.Errorf("disk %s: has no partition named %s", path, name)
	}
	p := table.Partition(number)
	return Range{Start: int64(p.First) * sectorSize, Size: int64(p.Sectors()) * sectorSize}, nil
}
