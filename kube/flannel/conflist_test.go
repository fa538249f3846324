package flannel

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/containernetworking/cni/libcni"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestConflist(t *testing.T) {
	got, err := conflist([]string{"10.42.0.0/24", "fd42::/64"}, 1450, "/run/coracle/cni-ipam")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", confName)
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	list, err := libcni.ConfListFromBytes(got)
	if err != nil {
		t.Fatalf("the CNI library refuses it: %v", err)
	}
	if len(list.Plugins) != 2 {
		t.Errorf("the CNI library finds %d plugins", len(list.Plugins))
	}
}

func TestWriteConflist(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net.d") // made when absent
	path := filepath.Join(dir, confName)
	stat := func() os.FileInfo {
		t.Helper()
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return fi
	}
	for _, content := range []string{"one", "two"} {
		if err := writeConflist(dir, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != content {
			t.Fatalf("read %q, %v", b, err)
		}
	}
	before := stat()
	if err := writeConflist(dir, []byte("two")); err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, stat()) {
		t.Error("an unchanged file was replaced")
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
	for range 2 { // the second time there is none to remove
		if err := removeConflist(dir); err != nil {
			t.Fatal(err)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("not removed: %v", files)
	}
}
