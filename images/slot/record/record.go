// Package record is what a slot's partition says about the upgrade that wrote it: which artifact it holds, and how far its
// trial came. Whoever runs first in a new version, stage 1 of init, can write it without a file system, and the
// version that ran before can read it when the new one did not come up.
package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/coracle-os/coracle/images/slot"
)

// Phase is how far a slot came since it was written.
type Phase string

// Phases, in their order.
const (
	Written   Phase = "written"   // the image is in the slot, compared with the artifact
	Armed     Phase = "armed"     // the boot loader was told to try it
	Kernel    Phase = "kernel"    // its kernel runs, and stage 1 of init
	Root      Phase = "root"      // its root was opened, and init is started
	Init      Phase = "init"      // init runs
	Machined  Phase = "machined"  // machined runs
	Confirmed Phase = "confirmed" // it was healthy for long enough
)

// Record is the content. The zero value is that of a slot that no upgrade has written.
type Record struct {
	Digest     string `json:"digest"` // of the artifact
	Version    string `json:"version"`
	Kubernetes string `json:"kubernetes"`
	From       string `json:"from"` // the version that armed it
	Size       uint64 `json:"size"` // of the slot image, bytes
	Hash       string `json:"hash"` // of the slot image, BLAKE2b-256 in hex
	Phase      Phase  `json:"phase"`
	Reason     string `json:"reason,omitempty"` // why the trial was given up
	Deadline   int    `json:"deadline"`         // seconds from the kernel's start within which it must be confirmed
	Confirm    int    `json:"confirm"`          // seconds that it must be healthy
	NodeReady  bool   `json:"nodeReady"`        // the Kubernetes node was Ready before
}

// ErrNone is that a slot has no record: it was written by a flash, or is empty.
var ErrNone = errors.New("the slot has no record of an upgrade")

// Two copies are at the start of the last [slot.RecordSize] bytes of a slot's partition. The older is overwritten, so
// that a power cut leaves one of them.
const (
	copies   = 2
	copySize = 4096 // bytes; no disk has larger sectors
	header   = len(magic) + 8 + 4 + sha256.Size
	room     = copySize - header
	magic    = "CORACLEREC\x00\x01"
)

// maxReason is how much of a reason is kept, in bytes; less where JSON makes characters longer.
const maxReason = 1024

// encode is a copy as it is on disk: [magic], sequence number and length of the JSON in big-endian, the SHA-256 of all that
// and of the JSON, the JSON.
func encode(sequence uint64, r Record) ([]byte, error) {
	text, err := fit(r)
	if err != nil {
		return nil, err
	}
	b := []byte(magic)
	b = binary.BigEndian.AppendUint64(b, sequence)
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	sum := sha256.Sum256(append(bytes.Clone(b), text...))
	b = append(append(b, sum[:]...), text...)
	return append(b, make([]byte, copySize-len(b))...), nil
}

// fit is the JSON of a record. A reason that is too long is cut: a part of it says more than none.
func fit(r Record) ([]byte, error) {
	for most := maxReason; ; most /= 2 {
		short := r
		if len(r.Reason) > most {
			short.Reason = string(bytes.ToValidUTF8([]byte(r.Reason[:most]), nil)) + "…"
		}
		text, err := json.Marshal(short)
		if err != nil {
			return nil, err
		}
		if len(text) <= room {
			return text, nil
		}
		if most == 0 {
			return nil, fmt.Errorf("record of a slot: %d bytes, at most %d", len(text), room)
		}
	}
}

// decode reads a copy; false if it is none, or torn.
func decode(b []byte) (sequence uint64, r Record, ok bool) {
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok || len(b) < header {
		return 0, r, false
	}
	sequence = binary.BigEndian.Uint64(rest)
	length := binary.BigEndian.Uint32(rest[8:])
	if int64(length) > int64(len(b)-header) { // an int of 32 bits would be negative
		return 0, r, false
	}
	text := b[header:][:length]
	sum := sha256.Sum256(append(bytes.Clone(b[:header-sha256.Size]), text...))
	if !bytes.Equal(sum[:], b[header-sha256.Size:header]) || json.Unmarshal(text, &r) != nil {
		return 0, Record{}, false
	}
	return sequence, r, true
}

// newest returns the copy that counts: its place and sequence number, -1 if there is none.
func newest(region []byte) (place int, sequence uint64, r Record) {
	place = -1
	for i := range copies {
		if n, found, ok := decode(region[i*copySize : (i+1)*copySize]); ok && (place < 0 || n > sequence) {
			place, sequence, r = i, n, found
		}
	}
	return place, sequence, r
}

// File is a slot's partition.
type File interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
}

// Read reads the record of a slot. size is that of its partition in bytes.
func Read(f io.ReaderAt, size int64) (Record, error) {
	region, _, err := read(f, size)
	if err != nil {
		return Record{}, err
	}
	place, _, r := newest(region)
	if place < 0 || r == (Record{}) {
		return Record{}, ErrNone
	}
	return r, nil
}

func read(f io.ReaderAt, size int64) (region []byte, at int64, err error) {
	at = size - slot.RecordSize
	if at < 0 {
		return nil, 0, fmt.Errorf("record of a slot: a partition of %d bytes has no room for it", size)
	}
	region = make([]byte, copies*copySize)
	if _, err := f.ReadAt(region, at); err != nil {
		return nil, 0, fmt.Errorf("read the record of the slot: %w", err)
	}
	return region, at, nil
}

// Write writes the record of a slot, and returns when it is on the disk. The zero Record takes it away.
func Write(f File, size int64, r Record) error {
	region, at, err := read(f, size)
	if err != nil {
		return err
	}
	place, sequence, _ := newest(region)
	next := (place + 1) % copies
	b, err := encode(sequence+1, r)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(b, at+int64(next*copySize)); err != nil {
		return fmt.Errorf("write the record of the slot: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write the record of the slot: %w", err)
	}
	return nil
}

// Update changes the record of the slot whose partition is the device at path. change is not called when there is no
// record.
func Update(path string, change func(*Record)) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("record of the slot: %w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("record of the slot: %w", err)
	}
	r, err := Read(f, size)
	if err != nil {
		return err
	}
	before := r
	if change(&r); r == before {
		return nil
	}
	return Write(f, size, r)
}
