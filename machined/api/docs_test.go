package api

import (
	"cmp"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/inspect"
	"github.com/coracle-os/coracle/machined/state"
)

func docs(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// methodRow is a row of the table of methods: names, * for those without a key, and the least role.
var methodRow = regexp.MustCompile("(?m)^\\| (\\*?`[A-Z][^|]*?`\\*?)( \\*)? \\| (none|reader|operator|admin) \\|")

// TestDocsHaveTheMethods compares docs/api.md with the table.
func TestDocsHaveTheMethods(t *testing.T) {
	type row struct {
		role            string
		keyless, stream bool
	}
	got := map[string]row{}
	for _, m := range methodRow.FindAllStringSubmatch(docs(t), -1) {
		for name := range strings.SplitSeq(m[1], ", ") {
			got[strings.Trim(name, "*`")] = row{m[3], m[2] != "", strings.HasPrefix(name, "*")}
		}
	}
	for _, m := range methods {
		if want := (row{cmp.Or(string(m.role), "none"), m.keyless, m.stream}); got[m.name] != want {
			t.Errorf("%s: the docs say %+v, the table %+v", m.name, got[m.name], want)
		}
		delete(got, m.name)
	}
	for name := range got {
		t.Errorf("the docs have %s, which does not exist", name)
	}
}

// TestDocsHaveTheMetrics: those of a machine that has everything.
func TestDocsHaveTheMetrics(t *testing.T) {
	text := docs(t)
	text = strings.ReplaceAll(text, "`…_", "`coracle_network_")
	m := state.Machine{Data: state.Disk{Ready: true}, Time: state.Time{LastSync: time.Now()}, Kube: state.Kube{Status: &control.Status{}}}
	var e exposition
	(&Server{}).writeState(&e, m)
	writeLoad(&e, inspect.Host())
	writeDevices(&e, inspect.Host())
	found := 0
	for l := range strings.Lines(e.b.String()) {
		if name, is := strings.CutPrefix(l, "# TYPE "); is {
			name, _, _ = strings.Cut(name, " ")
			found++
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%s is not in the docs", name)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d metrics", found)
	}
}
