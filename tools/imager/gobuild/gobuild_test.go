package gobuild

import (
	"debug/buildinfo"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/tools/imager/definition"
)

func TestVersion(t *testing.T) {
	for describe, want := range map[string]string{
		"v1.2.3": "1.2.3", "v1.2.3-4-gabc": "1.2.3-4-gabc", "ad100fd": "0.1.0-dev+ad100fd",
		"ad100fd-dirty": "0.1.0-dev+ad100fd.dirty", "": "0.1.0-dev",
	} {
		if got := version(describe); got != want {
			t.Errorf("version(%q) = %q, want %q", describe, got, want)
		}
	}
}

func TestSourceTime(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	if at, err := sourceTime(t.Context(), t.TempDir(), true); err != nil || at.Unix() != 1700000000 {
		t.Errorf("got %v, %v", at, err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if _, err := sourceTime(t.Context(), t.TempDir(), true); err == nil || !strings.Contains(err.Error(), "SOURCE_DATE_EPOCH") {
		t.Errorf("error %v does not say what to check", err)
	}
}

func TestBuild(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod": "module example.test/x\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() {}\n",
		"broken/main.go": "package main\n\nfunc main() { nothing() }\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a, err := arch.Named("amd64")
	if err != nil {
		t.Fatal(err)
	}
	s, out := Source{Dir: dir, Kubernetes: "v1.37.2"}, filepath.Join(dir, "out")
	if err := s.Build(t.Context(), a, definition.Program{Path: "/usr/bin/x", Package: "."}, "", out); err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if settings["CGO_ENABLED"] != "0" || settings["-trimpath"] != "true" || settings["GOARCH"] != "amd64" {
		t.Errorf("built with %v", settings)
	}
	err = s.Build(t.Context(), a, definition.Program{Path: "/usr/bin/x", Package: "./broken"}, "", out)
	for _, want := range []string{"/usr/bin/x", "./broken", "go build", "undefined: nothing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error %v", want, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		args = append([]string{"-c", "user.name=t", "-c", "user.email=t@example.test"}, args...)
		if _, err := git(t.Context(), dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run("init", "-q")
	write(".gitignore", "ignored\n")
	write("a.go", "package a")
	run("add", ".")
	run("commit", "-q", "-m", "first")
	last := ""
	for _, change := range []struct {
		name    string
		make    func()
		changes bool
	}{
		{"first", func() {}, true},
		{"nothing", func() {}, false},
		{"an ignored file", func() { write("ignored", "x") }, false},
		{"a changed file", func() { write("a.go", "package b") }, true},
		{"a new file", func() { write("b.go", "package b") }, true},
		{"a removed file", func() { os.Remove(filepath.Join(dir, "a.go")) }, true},
		{"a commit", func() { run("commit", "-q", "--allow-empty", "-m", "second") }, true},
	} {
		change.make()
		got, err := Fingerprint(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if (got != last) != change.changes {
			t.Errorf("%s: changed is %v, want %v", change.name, got != last, change.changes)
		}
		last = got
	}
}
