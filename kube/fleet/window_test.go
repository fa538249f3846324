package fleet

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWindow(t *testing.T) {
	at := func(text string) time.Time {
		at, err := time.Parse("2006-01-02 15:04 -0700", text+" +0000")
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	w := func(start string, length time.Duration, days ...string) *Window {
		return &Window{Days: days, Start: start, Duration: metav1.Duration{Duration: length}}
	}
	for name, tc := range map[string]struct {
		window *Window
		now    string
		open   bool
		next   string
	}{
		"none":                     {nil, "2026-11-26 12:00", true, ""},
		"before":                   {w("14:00", time.Hour), "2026-11-26 12:00", false, "2026-11-26 14:00"},
		"at its start":             {w("12:00", time.Hour), "2026-11-26 12:00", true, ""},
		"in it":                    {w("11:30", time.Hour), "2026-11-26 12:00", true, ""},
		"at its end":               {w("11:00", time.Hour), "2026-11-26 12:00", false, "2026-11-27 11:00"},
		"since yesterday":          {w("23:00", 4*time.Hour), "2026-11-26 02:59", true, ""},
		"all day":                  {w("12:01", 24*time.Hour), "2026-11-26 12:00", true, ""},
		"another day":              {w("11:30", time.Hour, "sat"), "2026-11-26 12:00", false, "2026-11-28 11:30"},
		"began on another day":     {w("23:00", 4*time.Hour, "wed"), "2026-11-26 02:59", true, ""},
		"its day was yesterday":    {w("11:00", time.Hour, "wed"), "2026-11-26 11:30", false, "2026-12-02 11:00"},
		"the same day next week":   {w("11:00", time.Hour, "thu"), "2026-11-26 12:00", false, "2026-12-03 11:00"},
		"over the end of the year": {w("11:00", time.Hour, "fri"), "2026-12-31 12:00", false, "2027-01-01 11:00"},
	} {
		t.Run(name, func(t *testing.T) {
			open, next := tc.window.open(at(tc.now).In(time.FixedZone("", 3600)))
			if open != tc.open || !open && !next.Equal(at(tc.next)) {
				t.Errorf("open %t, next %v", open, next)
			}
		})
	}
}
