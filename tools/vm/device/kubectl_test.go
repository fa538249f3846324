package device

import (
	"os"
	"path/filepath"
	"testing"
)

func TestKubectl(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	out := t.TempDir()
	if path, err := Kubectl(out); err == nil {
		t.Errorf("found %s where nothing was built", path)
	}
	built, err := builtKube()
	if err != nil {
		t.Fatal(err)
	}
	kube := filepath.Join(out, built)
	if err := os.MkdirAll(filepath.Dir(kube), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kube, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the link is made once, and found then
		path, err := Kubectl(out)
		if err != nil || filepath.Base(path) != "kubectl" {
			t.Fatalf("got %q, %v", path, err)
		}
		if real, err := filepath.EvalSymlinks(path); err != nil || filepath.Base(real) != "kube" {
			t.Errorf("%s leads to %q, %v", path, real, err)
		}
	}
}
