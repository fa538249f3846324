package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPrefetch(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	if err := prefetch(self); err != nil {
		t.Error(err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{text, text + ".gone"} {
		if prefetch(path) == nil {
			t.Errorf("%s is a program", path)
		}
	}
}
