package record

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/images/slot"
)

const partition = slot.RecordSize + 4096

func newPartition(t *testing.T) (*os.File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "slot")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(partition); err != nil {
		t.Fatal(err)
	}
	return f, path
}

func TestWriteIsRead(t *testing.T) {
	f, path := newPartition(t)
	if _, err := Read(f, partition); !errors.Is(err, ErrNone) {
		t.Errorf("as flashed: %v", err)
	}
	if err := Update(path, func(r *Record) { t.Error("called without a record") }); !errors.Is(err, ErrNone) {
		t.Errorf("update without a record: %v", err)
	}
	for _, phase := range []Phase{Written, Armed, Kernel, Root} {
		want := Record{Version: "1.2.3", Phase: phase}
		if err := Write(f, partition, want); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(f, partition); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	if err := Update(path, func(r *Record) { r.Reason = strings.Repeat("ä", 5000) }); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(f, partition); err != nil || got.Phase != Root || !strings.HasPrefix(got.Reason, "ää") || len(got.Reason) > maxReason+3 {
		t.Errorf("%+v, %v", got, err)
	}
	// In JSON these are six times as long.
	if err := Update(path, func(r *Record) { r.Reason = strings.Repeat("\x1b", 5000) }); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(f, partition); err != nil || !strings.HasPrefix(got.Reason, "\x1b\x1b") {
		t.Errorf("%+v, %v", got, err)
	}
	if err := Update(path, func(r *Record) { r.Version = strings.Repeat("9", 5000) }); err == nil {
		t.Error("a version of 5000 digits was written")
	}
	if err := Write(f, partition, Record{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(f, partition); !errors.Is(err, ErrNone) {
		t.Errorf("taken away: %v", err)
	}
}

// A partition without room for a record has none, whatever its size says.
func TestSmallPartition(t *testing.T) {
	f, path := newPartition(t)
	if err := f.Truncate(slot.RecordSize - 1); err != nil {
		t.Fatal(err)
	}
	if err := Update(path, func(*Record) {}); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("a partition of %d bytes: %v", slot.RecordSize-1, err)
	}
}

// A write that is cut off anywhere leaves the record as it was, or as it was to be.
func TestTornWrites(t *testing.T) {
	for torn := 0; torn <= copySize; torn += 97 {
		f, _ := newPartition(t)
		old, next := Record{Version: "1.0.0", Phase: Written}, Record{Version: "1.0.0", Phase: Armed}
		for _, r := range []Record{{Version: "0.9.0"}, old} {
			if err := Write(f, partition, r); err != nil {
				t.Fatal(err)
			}
		}
		if err := Write(cut{f, torn}, partition, next); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(f, partition); err != nil || got != old && got != next {
			t.Errorf("torn after %d bytes: %+v, %v", torn, got, err)
		}
	}
}

// cut writes only the first bytes of what it is given.
type cut struct {
	*os.File
	bytes int
}

func (c cut) WriteAt(p []byte, at int64) (int, error) {
	if _, err := c.File.WriteAt(p[:min(len(p), c.bytes)], at); err != nil {
		return 0, err
	}
	return len(p), nil
}

func FuzzDecode(f *testing.F) {
	good, _ := encode(7, Record{Version: "1.0.0"})
	f.Add(good)
	f.Add([]byte(magic))
	f.Add(append([]byte(magic), bytes.Repeat([]byte{0xff}, copySize-len(magic))...)) // a length that no int of 32 bits holds
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, r, ok := decode(b); ok {
			if _, err := encode(n, r); err != nil && len(b) <= copySize {
				t.Errorf("%+v was read and cannot be written: %v", r, err)
			}
		}
	})
}
