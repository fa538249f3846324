package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReuse(t *testing.T) {
	name := filepath.Join(t.TempDir(), "root.img")
	made := 0
	run := func(key string) bool {
		t.Helper()
		again, err := reuse(name, []any{key}, func() error {
			made++
			return os.WriteFile(name, []byte("content"), 0o644)
		})
		if err != nil {
			t.Fatal(err)
		}
		return again
	}
	if run("a") || !run("a") || run("b") || !run("b") {
		t.Error("the file is not made exactly when its key changes")
	}
	if err := os.WriteFile(name, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if run("b") {
		t.Error("a changed file is taken for good")
	}
	if made != 3 {
		t.Errorf("made %d times, want 3", made)
	}
	failure := errors.New("no space")
	if _, err := reuse(name, []any{"c"}, func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	if run("b") {
		t.Error("what a failed run left is taken for good")
	}
}

func TestRunSteps(t *testing.T) {
	var out bytes.Buffer
	ran := 0
	ok := func(context.Context) (string, error) { ran++; return "fine", nil }
	bad := func(context.Context) (string, error) { return "", errors.New("command: false\nexit status 1") }
	err := runSteps(t.Context(), &out, []step{{"first", "a", ok}, {"second", "images/x.yml", bad}, {"third", "c", ok}})
	for _, want := range []string{`"second"`, "input: images/x.yml", "command: false"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error %v", want, err)
		}
	}
	if ran != 1 || !strings.Contains(out.String(), "[ 1/3] first") || !strings.Contains(out.String(), "fine") {
		t.Errorf("%d steps ran; progress:\n%s", ran, out.String())
	}
}

func TestCompare(t *testing.T) {
	a := []output{{"bin/init", 1, "aa"}, {"root.img", 2, "bb"}}
	if err := compare(a, []output{{"bin/init", 1, "aa"}, {"root.img", 2, "bb"}}); err != nil {
		t.Error(err)
	}
	err := compare(a, []output{{"bin/init", 1, "aa"}, {"root.img", 2, "cc"}})
	if err == nil || !strings.Contains(err.Error(), "root.img") || strings.Contains(err.Error(), "bin/init") {
		t.Errorf("error %v does not name root.img alone", err)
	}
	if compare(a, a[:1]) == nil {
		t.Error("a missing output is no error")
	}
}

func TestRunExplainsItself(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "usage:"},
		{[]string{"biuld", "x.yml"}, `"biuld"`},
		{[]string{"validate", filepath.Join(t.TempDir(), "none.yml")}, "none.yml"},
		{[]string{"validate", "x.yml", "--ot", "y"}, "--ot"},
		{[]string{"build", "x.yml", "y.yml"}, "usage:"},
		{[]string{"oslist", "x.yml", "y.yml", "--url", "https://example.com"}, "x.yml"},
	} {
		if err := run(t.Context(), test.args); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want one with %q", test.args, err, test.want)
		}
	}
	if err := run(t.Context(), []string{"validate", "../../images/amd64.yml"}); err != nil {
		t.Error(err)
	}
}
