package server

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/kube/pki"
)

func TestIsFresh(t *testing.T) {
	write := func(t *testing.T, path string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, p Paths)
		fresh   bool
		wantErr string
	}{
		"first start":              {func(*testing.T, Paths) {}, true, ""},
		"a cluster":                {func(t *testing.T, p Paths) { write(t, p.database()) }, false, ""},
		"a cluster that has lived": {func(t *testing.T, p Paths) { write(t, p.database()); write(t, p.roles()) }, false, ""},
		"its database is gone":     {func(t *testing.T, p Paths) { write(t, p.roles()) }, false, "database is gone"},
		"a folder cannot be read":  {func(t *testing.T, p Paths) { write(t, filepath.Dir(p.database())) }, false, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			p := testPaths(t.TempDir())
			tc.prepare(t, p)
			fresh, err := isFresh(p)
			if fresh != tc.fresh || (err == nil) != (tc.wantErr == "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Errorf("got %v, %v; want %v, %q", fresh, err, tc.fresh, tc.wantErr)
			}
			var damaged *pki.DamagedError
			if tc.wantErr == "database is gone" && !errors.As(err, &damaged) {
				t.Errorf("%v has no remedy", err)
			}
		})
	}
}
