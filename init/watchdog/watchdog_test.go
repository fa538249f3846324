package watchdog

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestFeedEvery(t *testing.T) {
	for timeout, want := range map[int]time.Duration{60: 5 * time.Second, 15: 5 * time.Second, 3: time.Second} {
		if got := FeedEvery(timeout); got != want {
			t.Errorf("FeedEvery(%d) = %v, want %v", timeout, got, want)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	pattern := filepath.Join(dir, "watchdog[0-9]*")
	if _, err := Open(pattern, ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a watchdog: %v", err)
	}
	// The second name of the first is none of its own.
	if err := os.WriteFile(filepath.Join(dir, "watchdog"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "watchdog0") // a folder cannot be opened to be written to
	if err := os.Mkdir(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	if f, err := Open(pattern, ""); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("with one that cannot be opened: %v, %v", f, err)
	}
	works := filepath.Join(dir, "watchdog1")
	if err := os.WriteFile(works, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(pattern, "")
	if err != nil || f.Name() != works {
		t.Fatalf("%v, %v; want %s, as %s cannot be opened", f, err, works, broken)
	}
	if err := Feed(f); err != nil {
		t.Error(err)
	}
	Disarm(f)
	if got, _ := os.ReadFile(works); string(got) != "\x00V" {
		t.Errorf("fed and disarmed by %q", got)
	}
	if f, err := Open(pattern, works); err == nil {
		t.Errorf("opened %s, which was excepted", f.Name())
	}
}
