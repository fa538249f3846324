package debian

import (
	"slices"
	"strings"
	"testing"
)

func TestSuites(t *testing.T) {
	m := Mirrors{Main: "http://m.test/debian", Security: "http://s.test"}
	for name, tc := range map[string]struct {
		options Options
		list    []string // lines of sources.list, without the keyring
		without []string // suites that a build may go on without
	}{
		"Debian": {
			Options{Suite: "trixie", Components: []string{"main", "non-free-firmware"}},
			[]string{
				"http://m.test/debian trixie main non-free-firmware",
				"http://m.test/debian trixie-updates main non-free-firmware",
				"http://s.test trixie-security main non-free-firmware",
			},
			[]string{"trixie-updates", "trixie-security"},
		},
		"alone": {Options{Suite: "trixie-backports", Components: []string{"main"}, Alone: true}, []string{"http://m.test/debian trixie-backports main"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			suites := tc.options.suites(m)
			list := strings.ReplaceAll(tc.options.sourcesList(suites), "deb [signed-by="+keyring+"] ", "")
			if want := strings.Join(tc.list, "\n") + "\n"; list != want {
				t.Errorf("got\n%swant\n%s", list, want)
			}
			var without []string
			for _, s := range suites {
				if s.has != "" {
					without = append(without, s.name)
				}
			}
			if !slices.Equal(without, tc.without) {
				t.Errorf("goes on without %q, want %q", without, tc.without)
			}
		})
	}
}
