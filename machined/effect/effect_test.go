package effect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// machine has a config, and remembers what took effect of it.
type machine struct {
	config string
	log    []string
	broken map[string]bool // "EFFECT CONFIG" fails
}

func (m *machine) effect(name string) Effect[*machine] {
	return Effect[*machine]{Name: name, Fields: []string{"machine." + name}, Run: func(m *machine, _ context.Context) error {
		step := fmt.Sprint(name, " ", m.config)
		m.log = append(m.log, step)
		if m.broken[step] {
			return errors.New("no such device")
		}
		return nil
	}}
}

func TestApply(t *testing.T) {
	for name, tc := range map[string]struct {
		broken []string
		log    []string
		config string
		errors []string
	}{
		"works":            {log: []string{"a new", "b new", "c new"}, config: "new"},
		"the second fails": {broken: []string{"b new"}, log: []string{"a new", "b new", "a old", "b old"}, config: "old", errors: []string{"b: no such device"}},
		"going back fails": {broken: []string{"b new", "a old"}, log: []string{"a new", "b new", "a old", "b old"}, config: "old", errors: []string{"b: no such", "failed too: a: no such"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := &machine{config: "old", broken: map[string]bool{}}
			for _, b := range tc.broken {
				m.broken[b] = true
			}
			err := Apply(t.Context(), m, []Effect[*machine]{m.effect("a"), m.effect("b"), m.effect("c")},
				func() { m.config = "new" }, func() { m.config = "old" })
			if !slices.Equal(m.log, tc.log) || m.config != tc.config {
				t.Errorf("did %q and has %s, want %q and %s", m.log, m.config, tc.log, tc.config)
			}
			if (err != nil) != (tc.errors != nil) {
				t.Errorf("error %v", err)
			}
			for _, part := range tc.errors {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q, want %q in it", err, part)
				}
			}
		})
	}
}

func TestFor(t *testing.T) {
	all := []Effect[*machine]{
		{Name: "name", Fields: []string{"machine.name"}},
		{Name: "network", Fields: []string{"machine.network"}},
		{Name: "kube", Fields: []string{"machine.name", "cluster"}},
	}
	for changed, want := range map[string]string{
		"":                                  "",
		"machine.name":                      "name kube",
		"machine.network.interfaces[0].mtu": "network",
		"machine.networks":                  "",
		"machine":                           "name network kube",
		"cluster.addons.coredns.enabled":    "kube",
		`cluster["x"]`:                      "kube",
		"machine.nameservers":               "",
	} {
		if got := strings.Join(Names(For(all, []string{changed})), " "); got != want {
			t.Errorf("%s: %q, want %q", changed, got, want)
		}
	}
}
