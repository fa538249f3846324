package debian

import (
	"fmt"
	"slices"
	"strings"
)

// suite is one of those that packages are taken from.
type suite struct {
	name   string
	mirror string
	has    string // what a build without it lacks; empty: there is no build without it
}

// suites are those of o, from the mirrors m.
func (o Options) suites(m Mirrors) []suite {
	own := suite{o.Suite, m.Main, ""}
	if o.Alone {
		return []suite{own}
	}
	return []suite{
		own,
		{o.Suite + "-updates", m.Main, "updates"},
		{o.Suite + "-security", m.Security, "security updates"},
	}
}

// sourcesList is sources.list(5) for suites.
func (o Options) sourcesList(suites []suite) string {
	var list strings.Builder
	for _, s := range suites {
		fmt.Fprintf(&list, "deb [signed-by=%s] %s %s %s\n", keyring, s.mirror, s.name, strings.Join(o.Components, " "))
	}
	return list.String()
}

// Missing is a suite that packages could not be taken from, because the mirror has other package lists of it than those that are signed.
type Missing struct {
	Suite  string `json:"suite"`
	Has    string `json:"has"`    // what a build without it lacks
	Reason string `json:"reason"` // in apt's words
}

// Missing are the suites that packages are not taken from. There are none with [Options.Complete].
func (a *Archive) Missing() []Missing { return a.missing }

// Incomplete says what the archive lacks, and why; it is nil when nothing is missing.
func (a *Archive) Incomplete() error {
	if len(a.missing) == 0 {
		return nil
	}
	return fmt.Errorf("packages for %s are those of %s alone, without %s. The mirror has other package lists than those that are signed (%s); the next build asks again",
		a.Arch, strings.Join(a.Suites(), " and "),
		join(a.missing, func(m Missing) string { return "the " + m.Has + " of " + m.Suite }),
		join(a.missing, func(m Missing) string { return m.Suite + ": " + m.Reason }))
}

// Suites are the names of those that packages are taken from.
func (a *Archive) Suites() []string {
	var names []string
	for _, s := range a.suites(Mirrors{}) {
		if !isMissing(a.missing, s.name) {
			names = append(names, s.name)
		}
	}
	return names
}

func isMissing(missing []Missing, suite string) bool {
	return slices.ContainsFunc(missing, func(m Missing) bool { return m.Suite == suite })
}

func join(missing []Missing, say func(Missing) string) string {
	var words []string
	for _, m := range missing {
		words = append(words, say(m))
	}
	return strings.Join(words, " and ")
}
