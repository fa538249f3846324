package initramfs

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/u-root/u-root/pkg/cpio"
)

func TestAppend(t *testing.T) {
	for size := 20; size < 24; size++ {
		first := bytes.Repeat([]byte{0xfd}, size)
		out := filepath.Join(t.TempDir(), "initrd")
		if err := os.WriteFile(out, first, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Append(out, "/etc/coracle/slot.json", []byte(`{"version": "1"}`)); err != nil {
			t.Fatal(err)
		}
		all, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		rest, ok := bytes.CutPrefix(all, first)
		if !ok {
			t.Fatalf("behind %d bytes: they were changed", size)
		}
		second := bytes.TrimLeft(rest, "\x00")
		if at := len(all) - len(second); at%4 != 0 || at-size > 3 {
			t.Errorf("behind %d bytes the second archive is at %d", size, at)
		}
		records, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(second)))
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, r := range records {
			names = append(names, r.Name)
			if r.UID != 0 || r.GID != 0 || r.MTime != 0 {
				t.Errorf("%s: owner %d:%d, time %d", r.Name, r.UID, r.GID, r.MTime)
			}
		}
		if got := strings.Join(names, " "); got != "etc etc/coracle etc/coracle/slot.json" {
			t.Fatalf("behind %d bytes are %s", size, got)
		}
		file := records[2]
		if content, err := io.ReadAll(io.NewSectionReader(file, 0, int64(file.FileSize))); err != nil || string(content) != `{"version": "1"}` || file.Mode != cpio.S_IFREG|0o644 {
			t.Errorf("%s has mode %o and content %q (%v)", file.Name, file.Mode, content, err)
		}
		if !bytes.HasSuffix(bytes.TrimRight(second, "\x00"), []byte("TRAILER!!!")) || len(second)%4 != 0 {
			t.Errorf("behind %d bytes the second archive, of %d bytes, has no end", size, len(second))
		}
	}
}

func TestAppendNeedsAnArchive(t *testing.T) {
	if err := Append(filepath.Join(t.TempDir(), "none"), "/etc/a", nil); err == nil {
		t.Error("no error")
	}
}
