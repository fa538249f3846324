package storage

import (
	"fmt"

	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/machined/storage/partitions"
)

// MakeAnew has the next boot make DATA's file system anew, which is how a first boot begins. What is on it is not overwritten, only
// forgotten. It may be called while DATA is mounted.
func MakeAnew(boot handover.Boot) error {
	if boot.Disk == "" {
		return ErrNoDisk
	}
	if err := makeAnew(boot.Disk); err != nil {
		return fmt.Errorf("disk %s: %w", boot.Disk, err)
	}
	return nil
}

func makeAnew(path string) error {
	d, err := openDisk(path)
	if err != nil {
		return err
	}
	defer d.Close()
	table, health, err := partitions.Read(d, d.size, d.sector)
	if err != nil {
		return err
	}
	number := dataPartition(table)
	if number == 0 {
		return nil
	}
	table.Partition(number).SetName(unmadeName)
	return table.Write(d, health)
}
