package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestNamed(t *testing.T) {
	for name, goarch := range map[string]string{"amd64": "amd64", "arm64": "arm64", "armhf": "arm"} {
		if a, err := Named(name); err != nil || a.GOARCH != goarch {
			t.Errorf("Named(%s) = %+v, %v", name, a, err)
		}
	}
	if _, err := Named("sparc"); err == nil || !strings.Contains(err.Error(), "amd64") {
		t.Errorf("Named(sparc): %v, want an error that lists what there is", err)
	}
}

// Kubernetes takes a quarter of an hour to compile, so tests and images must share the build cache.
func TestMakefileHasTheSameSettings(t *testing.T) {
	b, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^GO_TAGS\s*:=\s*(\S+)$`).FindSubmatch(b)
	if m == nil || string(m[1]) != strings.Join(Tags, ",") {
		t.Errorf("Makefile's GO_TAGS is %q, want %q", m, strings.Join(Tags, ","))
	}
	if !strings.Contains(string(b), " "+compilerFlags+" ") {
		t.Errorf("Makefile's GOFLAGS do not have %s", compilerFlags)
	}
}

func TestGoArgs(t *testing.T) {
	args := strings.Join(GoArgs("v1.37.2", []string{"seccomp"}, true), " ")
	for _, want := range []string{
		"k8s.io/component-base/version.gitVersion=v1.37.2", "k8s.io/client-go/pkg/version.gitMinor=37",
		"-tags=seccomp,osusergo,", "-buildid= -extldflags -static",
	} {
		if !strings.Contains(args, want) {
			t.Errorf("%q is not in %s", want, args)
		}
	}
}

// TestGoEnv: what a person set with `go env -w` does not count.
func TestGoEnv(t *testing.T) {
	tags := func(env ...string) string {
		t.Helper()
		cmd := exec.Command("go", "list", "-f", "{{context.ToolTags}} {{context.CgoEnabled}}", "unsafe")
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	settings := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(settings, []byte("GOEXPERIMENT=arenas\nGOAMD64=v3\nCGO_CPPFLAGS=-DX\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, cgo := range []bool{false, true} {
		env := All[0].GoEnv()
		if cgo {
			env = All[0].CgoEnv("/sysroot")
		}
		for _, setting := range env {
			if name, value, _ := strings.Cut(setting, "="); value == "" && name != "PKG_CONFIG_PATH" {
				t.Errorf("%s is empty: Go asks `go env -w`", name)
			}
		}
		want := tags(append(env, "GOENV=off")...)
		if got := tags(append(env, "GOENV="+settings)...); got != want || strings.Contains(got, "arenas") {
			t.Errorf("with settings of its own Go builds for %s, want %s", got, want)
		}
	}
}

func TestModuleSets(t *testing.T) {
	for name, set := range Modules {
		if len(set) == 0 {
			t.Errorf("set %s is empty", name)
		}
		sorted := slices.Clone(set)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != len(set) {
			t.Errorf("set %s names a module twice", name)
		}
	}
}
