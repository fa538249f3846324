package controlplane

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/component-base/version"
)

func TestRolesCurrent(t *testing.T) {
	for name, tc := range map[string]struct {
		seeded bool
		noted  string // version in the file; empty: no file
		want   bool
	}{
		"new cluster":              {seeded: true, want: true},
		"seed failed":              {},
		"looked at by this one":    {noted: version.Get().GitVersion, want: true},
		"looked at by another one": {noted: "v1.0.0"},
		"the last look failed":     {noted: "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			c := Config{RolesFile: filepath.Join(t.TempDir(), "roles"), Seeded: func() bool { return tc.seeded }}
			if tc.noted != "" {
				if err := os.WriteFile(c.RolesFile, []byte(tc.noted), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := c.rolesCurrent(); got != tc.want {
				t.Errorf("current: %v, want %v", got, tc.want)
			}
		})
	}
}
