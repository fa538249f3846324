package disk

import (
	"fmt"

	"github.com/diskfs/go-diskfs"
	"github.com/diskfs/go-diskfs/disk"
	"github.com/diskfs/go-diskfs/partition/gpt"
)

// GPT names of Coracle's partitions (docs/architecture.md).
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

// Partition finds a partition of the disk at path by its GPT name.
func Partition(path, name string) (Range, error) {
	d, err := diskfs.Open(path, diskfs.WithOpenMode(diskfs.ReadOnly))
	if err != nil {
		return Range{}, fmt.Errorf("open disk %s: %w", path, err)
	}
	defer d.Close()
	p, err := partition(d, name)
	if err != nil {
		return Range{}, fmt.Errorf("disk %s: %w", path, err)
	}
	return Range{Start: p.GetStart(), Size: p.GetSize()}, nil
}

func partition(d *disk.Disk, name string) (*gpt.Partition, error) {
	table, err := d.GetPartitionTable()
	if err != nil {
		return nil, fmt.Errorf("read partition table: %w", err)
	}
	g, ok := table.(*gpt.Table)
	if !ok {
		return nil, fmt.Errorf("has a partition table of type %s, not GPT", table.Type())
	}
	for _, p := range g.Partitions {
		if p.Name == name && p.Type != gpt.Unused {
			return p, nil
		}
	}
	return nil, fmt.Errorf("has no partition named %s", name)
}
