// Package records is a file of numbered records with checksums, which shows what a power cut has taken.
package records

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// Size of a record, in bytes: not a divisor of a disk's sector, so that some are torn when a write is.
const Size = 96

// Log is a file of records.
type Log struct {
	f    *os.File
	next int
}

// Found is what was in a file.
type Found struct {
	All   int // records; the last may have been cut off before it was synced: then it does not count
	Whole int
}

// record is number n, from 1 on.
func record(n int) []byte {
	text := fmt.Sprintf("%d %x\n", n, sha256.Sum256(fmt.Appendf(nil, "record %d", n)))
	return append([]byte(text), bytes.Repeat([]byte{'.'}, Size-len(text))...)
}

// Open opens or makes a file of records and checks those in it.
func Open(path string) (*Log, Found, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, Found{}, err
	}
	content, err := io.ReadAll(f)
	if err != nil {
		f.Close()
		return nil, Found{}, err
	}
	found := Found{All: len(content) / Size}
	for n := range found.All {
		if bytes.Equal(content[n*Size:(n+1)*Size], record(n+1)) {
			found.Whole++
		}
	}
	// The one that was being written when the power was cut was never said to be there.
	if last := found.All; last > 0 && !bytes.Equal(content[(last-1)*Size:last*Size], record(last)) {
		found.All--
	}
	if err := errors.Join(f.Truncate(int64(found.All)*Size), f.Sync(), atomicfile.SyncDir(filepath.Dir(path))); err != nil {
		f.Close()
		return nil, found, err
	}
	return &Log{f, found.All + 1}, found, nil
}

// Add writes the next record, and returns when it is on the disk.
func (l *Log) Add() error {
	if _, err := l.f.WriteAt(record(l.next), int64(l.next-1)*Size); err != nil {
		return err
	}
	l.next++
	return l.f.Sync()
}

// Close closes the file.
func (l *Log) Close() error { return l.f.Close() }
