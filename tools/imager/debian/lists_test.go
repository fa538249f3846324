package debian

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeApt is an apt-get for the test: its arguments are kept in called, and it does what script says.
type fakeApt struct {
	t   *testing.T
	dir string
}

func newFakeApt(t *testing.T) fakeApt {
	f := fakeApt{t, t.TempDir()}
	t.Setenv("PATH", f.dir+":"+os.Getenv("PATH"))
	return f
}

// does is what apt-get does from now on, in the folder of lists.
func (f fakeApt) does(script string) {
	f.t.Helper()
	os.Remove(filepath.Join(f.dir, "called"))
	writeFile(f.t, filepath.Join(f.dir, "apt-get"), "#!/bin/sh\necho \"$@\" >"+f.dir+"/called\ncd \"$(dirname \"$APT_CONFIG\")/"+listsDir+"\"\n"+script+"\n")
}

// called are its last arguments.
func (f fakeApt) called() string {
	b, _ := os.ReadFile(filepath.Join(f.dir, "called"))
	return string(b)
}

// A suite that the mirror mixes up is asked for again in each build, it alone, until it is there; the others stay as fresh as they are.
func TestUpdateAsksForWhatIsMissing(t *testing.T) {
	const (
		mixedUp = `touch m.test_debian_dists_trixie_InRelease m.test_debian_dists_trixie-updates_InRelease
cat <<END
` + saidMixedUp + `END
exit 100`
		offline = `printf 'Err:1 http://s.test trixie-security InRelease\n  Connection timed out\n'; exit 100`
		healed  = `touch s.test_dists_trixie-security_InRelease`
	)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, listsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	apt := newFakeApt(t)
	mirrors := Mirrors{Main: "http://m.test/debian", Security: "http://s.test"}
	hourAgo := time.Now().Add(-time.Hour).Round(time.Second)
	for i, step := range []struct {
		name, script string
		missing      string   // afterwards
		args         []string // of apt-get; none: it is not called
	}{
		{"the first build", mixedUp, "trixie-security", []string{"update", "--error-on=any"}},
		{"without network", offline, "trixie-security", []string{"update", "missing.list", "List-Cleanup=false", "Timeout=10"}},
		{"still mixed up", mixedUp, "trixie-security", []string{"missing.list"}},
		{"the mirror is right again", healed, "", []string{"missing.list"}},
		{"a build after that", "exit 1", "", nil},
	} {
		var warnings []string
		a := &Archive{
			Options: Options{Suite: "trixie", Components: []string{"main"}, Arch: "armhf", Warn: func(what string, err error) { warnings = append(warnings, what+": "+err.Error()) }},
			dir:     dir, config: filepath.Join(dir, "apt.conf"),
		}
		apt.does(step.script)
		if err := a.update(t.Context(), mirrors); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		for _, want := range step.args {
			if !strings.Contains(apt.called(), want) {
				t.Errorf("%s: apt-get %q, want %q", step.name, apt.called(), want)
			}
		}
		if step.args == nil && apt.called() != "" {
			t.Errorf("%s: apt-get %q", step.name, apt.called())
		}
		said := strings.Join(warnings, "\n")
		if step.missing == "" {
			if len(a.Missing()) > 0 || a.Incomplete() != nil || said != "" {
				t.Errorf("%s: missing %v, said %q", step.name, a.Missing(), said)
			}
		} else if len(a.Missing()) != 1 || a.Missing()[0].Suite != step.missing || !strings.Contains(said, "without the security updates of "+step.missing) {
			t.Errorf("%s: missing %v, said %q", step.name, a.Missing(), said)
		}
		if list, err := os.ReadFile(filepath.Join(dir, "missing.list")); err == nil && (strings.Count(string(list), "\n") != 1 || !strings.Contains(string(list), "trixie-security")) {
			t.Errorf("%s: asks for\n%s", step.name, list)
		}
		info, err := os.Stat(a.stamp())
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := os.Chtimes(a.stamp(), hourAgo, hourAgo); err != nil {
				t.Fatal(err)
			}
		} else if !info.ModTime().Equal(hourAgo) {
			t.Errorf("%s: main's lists are of %s, but look as if they were of %s", step.name, hourAgo, info.ModTime())
		}
	}
}

func TestUpdateForRelease(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, listsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	newFakeApt(t).does("touch m.test_debian_dists_trixie_InRelease\nprintf '" + strings.ReplaceAll(saidMixedUpUpdates+saidMixedUp, "\n", `\n`) + "'; exit 100")
	a := &Archive{Options: Options{Suite: "trixie", Arch: "armhf", Complete: true}, dir: dir, config: filepath.Join(dir, "apt.conf")}
	if err := a.update(t.Context(), Mirrors{}); err == nil || !strings.Contains(err.Error(), "a release is not built without") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(a.stamp()); err == nil {
		t.Error("the next build would take the lists for fresh")
	}
}
