package clock

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestFloor(t *testing.T) {
	built := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "clock")
	if got := Floor(built, path); !got.Equal(built) {
		t.Errorf("nothing saved: %v", got)
	}
	if err := Save(path); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name        string
		saved, want time.Time
	}{
		{"saved after the build", built.Add(time.Hour), built.Add(time.Hour)},
		{"saved by an older release", built.Add(-time.Hour), built},
	} {
		if err := os.Chtimes(path, test.saved, test.saved); err != nil {
			t.Fatal(err)
		}
		if got := Floor(built, path); !got.Equal(test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	if err := Save(path); err != nil {
		t.Fatal(err)
	}
	if got := Floor(time.Time{}, path); time.Since(got).Abs() > time.Minute {
		t.Errorf("saved now: %v", got)
	}
	if err := Save(filepath.Join(t.TempDir(), "missing", "clock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the directory: %v", err)
	}
}

func TestRaiseLeavesALaterClock(t *testing.T) {
	if moved, err := Raise(time.Now().Add(-time.Hour)); moved || err != nil {
		t.Errorf("%v, %v", moved, err)
	}
}

func TestTimeConst(t *testing.T) {
	for poll, want := range map[time.Duration]int{time.Second: 0, 64 * time.Second: 2, 128 * time.Second: 3, time.Hour: 7, 1000 * time.Hour: 10} {
		if got := timeConst(poll); got != want {
			t.Errorf("timeConst(%v) = %d, want %d", poll, got, want)
		}
	}
}
