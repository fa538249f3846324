package bootfiles

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMounted(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	m := mounted{root}
	// Whole sectors and blocks, and a little more or less.
	for _, size := range []int{0, 1, 511, 512, 4097, blockSize - 1, blockSize, blockSize + 1, 3*blockSize - 7} {
		want := make([]byte, size)
		rand.NewChaCha8([32]byte{byte(size)}).Read(want)
		if err := os.WriteFile(filepath.Join(dir, "file"), want, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := m.open("file")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(f)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: read %d, %v", size, len(got), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := m.makeFolder("a/b"); err != nil {
		t.Fatal(err)
	}
	if err := m.makeFolder("a/b"); err != nil {
		t.Errorf("again: %v", err)
	}
	if names, err := m.files("."); err != nil || !slices.Equal(names, []string{"file"}) {
		t.Errorf("files %q, %v", names, err)
	}
	if names, err := m.files("missing"); err != nil || names != nil {
		t.Errorf("files of a folder that is missing: %q, %v", names, err)
	}
	if _, err := m.create("file"); err == nil {
		t.Error("a file was made that is there")
	}
	if free, cluster, err := m.free(); err != nil || free == 0 || cluster == 0 {
		t.Errorf("%d bytes are free, clusters of %d, %v", free, cluster, err)
	}
}
