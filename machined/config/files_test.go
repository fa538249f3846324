package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestFiles(t *testing.T) {
	f := Files{Dir: filepath.Join(t.TempDir(), "config")}
	has := func(name, want string) {
		t.Helper()
		got, err := os.ReadFile(f.path(name))
		if string(got) != want || (want == "") != errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.Prepare([]byte("one")))
	has(inForceName, "")
	must(f.Commit())
	has(inForceName, "one")
	has(previousName, "")

	must(f.Prepare([]byte("two")))
	must(f.Commit())
	has(inForceName, "two")
	has(previousName, "one")
	has(newName, "")

	must(f.Prepare([]byte("three")))
	must(f.Discard())
	has(newName, "")
	has(inForceName, "two")

	must(f.Stage([]byte("bad")))
	if took, err := f.TakeStaged(func([]byte) error { return errors.New("not valid") }); took || err == nil {
		t.Errorf("a staged config that is not valid: %v, %v", took, err)
	}
	has(stagedName, "bad")
	has(inForceName, "two")
	must(f.Stage([]byte("staged")))
	if took, err := f.TakeStaged(func([]byte) error { return nil }); !took || err != nil {
		t.Errorf("took %v, %v", took, err)
	}
	has(stagedName, "")
	has(inForceName, "staged")
	has(previousName, "two")
	if took, err := f.TakeStaged(func([]byte) error { return nil }); took || err != nil {
		t.Errorf("took one that is not there: %v, %v", took, err)
	}

	must(f.Stage([]byte("never")))
	must(f.Unstage())
	must(f.Unstage())
	has(stagedName, "")

	must(f.Remove())
	has(inForceName, "")
}

// TestCommitGoesOnAfterPowerCut has what a cut between any two steps of Commit leaves.
func TestCommitGoesOnAfterPowerCut(t *testing.T) {
	for name, left := range map[string]map[string]string{
		"before":           {inForceName: "old", newName: "new"},
		"second name made": {inForceName: "old", newName: "new", previousName + ".new": "old"},
		"previous renamed": {inForceName: "old", newName: "new", previousName: "old"},
	} {
		t.Run(name, func(t *testing.T) {
			f := Files{Dir: t.TempDir()}
			for name, content := range left {
				put(t, f.path(name), content)
			}
			if text, err := f.InForce(); err != nil || string(text) != "old" {
				t.Errorf("in force: %q, %v", text, err)
			}
			if err := f.Prepare([]byte("newer")); err != nil {
				t.Fatal(err)
			}
			if err := f.Commit(); err != nil {
				t.Fatal(err)
			}
			if text, _ := f.InForce(); string(text) != "newer" {
				t.Errorf("in force: %q", text)
			}
		})
	}
}
