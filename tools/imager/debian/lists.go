package debian

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// listsMaxAge is how long package lists are used before they are asked for again. Within it a build needs no network
// when the packages it wants are in the cache.
const listsMaxAge = 12 * time.Hour

// update fetches the package lists unless they are fresh. While those of a suite are missing they are asked for each time, they alone.
// Old lists are better than none: without network the build goes on with them.
func (a *Archive) update(ctx context.Context, m Mirrors) error {
	before, at, err := a.readStamp()
	if err != nil {
		return err
	}
	arguments := []string{"update", "-q", "--error-on=any"}
	young := time.Since(at) < listsMaxAge
	if young {
		if len(before) == 0 {
			return nil
		}
		again := slices.DeleteFunc(a.suites(m), func(s suite) bool { return !isMissing(before, s.name) })
		sources := filepath.Join(a.dir, "missing.list")
		if err := os.WriteFile(sources, []byte(a.sourcesList(again)), 0o644); err != nil {
			return err
		}
		arguments = append(arguments, "-o", "Dir::Etc::sourcelist="+sources,
			"-o", "APT::Get::List-Cleanup=false", // the other suites' lists stay
			"-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10") // without network the build goes on soon
	}
	said, failed := a.run(ctx, "", "apt-get", arguments...)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	there, err := a.withLists()
	if err != nil {
		return err
	}
	asked := outcome{
		suites: a.suites(m), err: failed, failures: parseFailures(said), there: there, used: !at.IsZero(), before: before, complete: a.Complete,
	}
	verdict, missing, err := asked.decide()
	if verdict == refused {
		return err
	}
	if a.missing = missing; len(missing) > 0 {
		a.warn("this build is incomplete", a.Incomplete())
	}
	if verdict == stale {
		a.warn("package lists are not fresh", err)
		return nil
	}
	if !young {
		at = time.Now()
	}
	return a.writeStamp(missing, at)
}

// withLists are the suites that apt has package lists of. It takes a suite's files only together, once all are those that the signed Release
// file names, and keeps the old ones until then.
func (a *Archive) withLists() ([]string, error) {
	files, err := os.ReadDir(filepath.Join(a.dir, listsDir))
	if err != nil {
		return nil, err
	}
	var there []string
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), "_InRelease"); ok {
			there = append(there, name[strings.LastIndex(name, "_")+1:]) // HOST_PATH_dists_SUITE
		}
	}
	return there, nil
}

// stamp is a file as old as the package lists, which says what they lack.
func (a *Archive) stamp() string { return filepath.Join(a.dir, "updated") }

// readStamp says what the package lists lack, and when they were asked for: at no time if they were not.
func (a *Archive) readStamp() ([]Missing, time.Time, error) {
	info, err := os.Stat(a.stamp())
	if errors.Is(err, os.ErrNotExist) {
		return nil, time.Time{}, nil
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	text, err := os.ReadFile(a.stamp())
	if err != nil || len(text) == 0 {
		return nil, info.ModTime(), err
	}
	var missing []Missing
	if json.Unmarshal(text, &missing) != nil {
		return nil, time.Time{}, nil // half a file
	}
	return missing, info.ModTime(), nil
}

func (a *Archive) writeStamp(missing []Missing, at time.Time) error {
	var text []byte
	if len(missing) > 0 {
		var err error
		if text, err = json.Marshal(missing); err != nil {
			return err
		}
	}
	if err := os.WriteFile(a.stamp(), text, 0o644); err != nil {
		return err
	}
	return os.Chtimes(a.stamp(), at, at)
}
