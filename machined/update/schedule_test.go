package update

import (
	"testing"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
)

func TestNextWindow(t *testing.T) {
	const layout = "Mon 02 15:04"
	night := types.Window{Start: "23:00", Duration: types.Duration(2 * time.Hour)}
	weekend := types.Window{Days: []string{"sat", "sun"}, Start: "02:00", Duration: types.Duration(time.Hour)}
	for _, c := range []struct {
		name   string
		window types.Window
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
		if from, to := nextWindow(c.window, now); from.Format(layout) != c.from || !to.After(now) {
			t.Errorf("%s: from %s to %s, want from %s", c.name, from.Format(layout), to.Format(layout), c.from)
		}
	}
}
