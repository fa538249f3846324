package update

import (
	"fmt"
	"io"

	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/machined/storage/direct"
)

// partition is a slot's partition.
type partition interface {
	record.File
	io.Closer
}

// openPartition opens a slot's partition past the page cache, and returns its size in bytes.
func openPartition(path string) (partition, int64, error) {
	p, size, err := direct.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("open the slot: %w", err)
	}
	return p, size, nil
}
