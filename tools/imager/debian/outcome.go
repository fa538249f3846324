package debian

import (
	"fmt"
	"slices"
	"strings"
)

// outcome is how apt-get fared with the package lists.
type outcome struct {
	suites   []suite
	err      error     // of apt-get
	failures []failure // that it printed
	there    []string  // suites with lists, signed ones: apt keeps no others
	used     bool      // a build has gone on with these lists before
	before   []Missing // what it went on without
	complete bool      // [Options.Complete]
}

// verdict is what becomes of the build.
type verdict string

const (
	fresh   verdict = "fresh"   // it has the lists, but for those that are missing
	stale   verdict = "stale"   // it has old ones
	refused verdict = "refused" // it ends
)

// decide is how the build goes on. It goes without lists only that the mirror mixes up (docs/decisions/0140): of a mirror that is reached, and
// whose signature is right, so that to try again soon does not help. The error says why lists are stale or refused.
func (o outcome) decide() (verdict, []Missing, error) {
	if o.err == nil {
		return fresh, nil, nil
	}
	var missing []Missing
	for _, s := range o.suites {
		if slices.Contains(o.there, s.name) {
			continue
		}
		m, ok := o.excuse(s)
		if !ok {
			return refused, nil, o.err
		}
		missing = append(missing, m)
	}
	old := len(missing) == 0 || len(o.failures) == 0 ||
		slices.ContainsFunc(o.failures, func(f failure) bool { return !isMissing(missing, f.suite) })
	switch {
	case old && !o.used:
		return refused, nil, o.err
	case len(missing) > 0 && o.complete:
		return refused, nil, fmt.Errorf("a release is not built without the package lists of %s: wait until the mirror has those that are signed, or name another with DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR\n%w",
			join(missing, func(m Missing) string { return m.Suite }), o.err)
	case old:
		return stale, missing, o.err
	}
	return fresh, missing, nil
}

// excuse is why a build can go on without the suite, if it can.
func (o outcome) excuse(s suite) (Missing, bool) {
	if s.has == "" {
		return Missing{}, false
	}
	for _, f := range o.failures {
		if f.suite == s.name && f.mixedUp() {
			return Missing{s.name, s.has, f.reason}, true
		}
	}
	// Without network it is as it was.
	if i := slices.IndexFunc(o.before, func(m Missing) bool { return m.Suite == s.name }); i >= 0 {
		return o.before[i], true
	}
	return Missing{}, false
}

// failure is a file that apt-get could not fetch.
type failure struct {
	suite, file, reason string // file is such as Packages or InRelease
}

// mixedUp is whether the mirror's list of packages is not the one that its signed Release file names.
func (f failure) mixedUp() bool {
	return f.file == "Packages" && slices.ContainsFunc([]string{"File has unexpected size", "Hash Sum mismatch"}, func(reason string) bool {
		return strings.HasPrefix(f.reason, reason)
	})
}

// parseFailures reads the output of `apt-get update -q`, which has for each failure `Err:NUMBER URI SUITE[/COMPONENT ARCH] FILE`, and
// why in the next line.
func parseFailures(text string) []failure {
	var failures []failure
	after := false
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "Err:") && len(words) >= 4:
			suite, _, _ := strings.Cut(words[2], "/")
			failures = append(failures, failure{suite: suite, file: words[len(words)-1]})
			after = true
			continue
		case after && strings.HasPrefix(line, "  "):
			failures[len(failures)-1].reason = strings.Join(words, " ")
		}
		after = false
	}
	return failures
}
