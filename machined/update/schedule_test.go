package update

import (
	"testing"
	"time"

	"github.com/coracle-os/coracle/machined/config/types"
)

func TestWindow(t *testing.T) {
	night := types.Window{Start: "23:00", Duration: types.Duration(2 * time.Hour)}
	for _, c := range []struct {
		name, source, now string
		from              string
		open              bool
	}{
		{"without a source", "", "23:30", "", false},
		{"later today", "https://x", "12:00", "23:00", false},
		{"open", "https://x", "23:30", "23:00", true},
	} {
		now, err := time.Parse("15:04", c.now)
		if err != nil {
			t.Fatal(err)
		}
		from, open := Window(types.Upgrade{Source: c.source, Window: night}, now)
		if open != c.open || c.from != "" && from.Format("15:04") != c.from {
			t.Errorf("%s: from %v, open %t", c.name, from, open)
		}
	}
}
