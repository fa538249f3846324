package initramfs

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/u-root/u-root/pkg/cpio"
)

func TestWrite(t *testing.T) {
	var archives [2][]byte
	for i := range archives {
		folder, out := t.TempDir(), filepath.Join(t.TempDir(), "initrd")
		for _, err := range []error{
			os.MkdirAll(filepath.Join(folder, "etc/coracle"), 0o755),
			os.WriteFile(filepath.Join(folder, "etc/coracle/slot.json"), []byte("{}"), 0o644),
			os.WriteFile(filepath.Join(folder, "init"), []byte("program"), 0o755),
			os.Symlink("usr/lib", filepath.Join(folder, "lib")),
			os.Chtimes(filepath.Join(folder, "init"), time.Time{}, time.Unix(int64(i)*1e6, 0)),
			Write(folder, out),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		archives[i], _ = os.ReadFile(out)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two archives of the same files differ")
	}

	z, err := zstd.NewReader(bytes.NewReader(archives[0]))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	records, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(plain)))
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]uint64{}
	for _, r := range records {
		modes[r.Name] = r.Mode
		if r.UID != 0 || r.GID != 0 || r.MTime != 0 {
			t.Errorf("%s: owner %d:%d, time %d", r.Name, r.UID, r.GID, r.MTime)
		}
	}
	for name, want := range map[string]uint64{
		"dev/console": cpio.S_IFCHR | 0o600, "init": cpio.S_IFREG | 0o755, "etc/coracle": cpio.S_IFDIR | 0o755,
		"etc/coracle/slot.json": cpio.S_IFREG | 0o644, "lib": cpio.S_IFLNK | 0o777,
	} {
		if modes[name] != want {
			t.Errorf("%s has mode %o, want %o", name, modes[name], want)
		}
	}
}
