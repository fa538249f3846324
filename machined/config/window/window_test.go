package window

import (
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	const layout = "Mon 02 15:04"
	night := Window{Start: "23:00", Length: 2 * time.Hour}
	weekend := Window{Days: []string{"sat", "sun"}, Start: "02:00", Length: time.Hour}
	for _, c := range []struct {
		name   string
		window Window
		now    string // of November 2026
		from   string
	}{
		{"later today", night, "26 12:00", "Thu 26 23:00"},
		{"open", night, "26 23:30", "Thu 26 23:00"},
		{"open since yesterday", night, "27 00:59", "Thu 26 23:00"},
		{"just over", night, "27 01:00", "Fri 27 23:00"},
		{"on its day", weekend, "26 12:00", "Sat 28 02:00"},
		{"over for today", weekend, "28 03:00", "Sun 29 02:00"},
		{"over for this week", weekend, "29 03:00", "Sat 05 02:00"},
	} {
		now, err := time.Parse("2006-01-02 15:04", "2026-11-"+c.now)
		if err != nil {
			t.Fatal(err)
		}
		if from, to := c.window.Next(now); from.Format(layout) != c.from || !to.After(now) {
			t.Errorf("%s: from %s to %s, want from %s", c.name, from.Format(layout), to.Format(layout), c.from)
		}
	}
	if from, to := (Window{Days: []string{"someday"}, Start: "02:00", Length: time.Hour}).Next(time.Now()); !from.IsZero() || !to.IsZero() {
		t.Errorf("a window that never opens does so from %v to %v", from, to)
	}
}

func TestIsStart(t *testing.T) {
	for text, want := range map[string]bool{"02:00": true, "23:59": true, "24:00": false, "noon": false, "": false} {
		if IsStart(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}
