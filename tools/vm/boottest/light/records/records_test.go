package records

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRecords(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(content []byte) []byte
		want   Found
	}{
		{"whole", func(b []byte) []byte { return b }, Found{5, 5}},
		{"none", func([]byte) []byte { return nil }, Found{0, 0}},
		{"the last cut off", func(b []byte) []byte { return b[:len(b)-10] }, Found{4, 4}},
		{"the last torn", func(b []byte) []byte { b[len(b)-30] = 0; b[len(b)-Size+3] = 0; return b }, Found{4, 4}},
		{"one in between changed", func(b []byte) []byte { b[Size+5] ^= 1; return b }, Found{5, 4}},
		{"one in between lost", func(b []byte) []byte { return append(b[:Size:Size], b[2*Size:]...) }, Found{3, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "records")
			log, _, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				if err := log.Add(); err != nil {
					t.Fatal(err)
				}
			}
			log.Close()
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, c.damage(content), 0o600); err != nil {
				t.Fatal(err)
			}
			log, found, err := Open(path)
			if err != nil || found != c.want {
				t.Errorf("found %+v, %v, want %+v", found, err, c.want)
			}
			defer log.Close()
			if err := log.Add(); err != nil {
				t.Fatal(err)
			}
			if again, found2, err := Open(path); err != nil || found2.All != c.want.All+1 {
				t.Errorf("after another record: %+v, %v", found2, err)
			} else {
				again.Close()
			}
		})
	}
}
