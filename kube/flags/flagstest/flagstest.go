// Package flagstest compares the lists of package flags with upstream's flag sets, in tests of the packages that have them.
package flagstest

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/coracle-os/coracle/kube/flags"
)

var update = flag.Bool("update-flags", false, "rewrite the lists of package flags")

// Compare wants that a component's list has just the flags of set. The working directory is that of a package beside flags.
func Compare(t *testing.T, component string, set *pflag.FlagSet) {
	t.Helper()
	var names []string
	set.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	slices.Sort(names)
	if *update {
		if err := os.WriteFile("../flags/"+component+".txt", []byte(strings.Join(names, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	known := flags.Known(component)
	for _, name := range names {
		if !slices.Contains(known, name) {
			t.Errorf("%s has a flag --%s that package flags does not know; run this test with -update-flags, and see whether it is Coracle's own", component, name)
		}
	}
	for _, name := range known {
		if !slices.Contains(names, name) {
			t.Errorf("%s has no flag --%s any more; run this test with -update-flags", component, name)
		}
	}
}

// Classified wants that every flag that Coracle passes is either its own or one that a config may change.
func Classified(t *testing.T, component string, args []string, free ...string) {
	t.Helper()
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		own := flags.Owner(component, name) != ""
		switch {
		case own && slices.Contains(free, name):
			t.Errorf("%s: --%s is both free and Coracle's own", component, name)
		case !own && !slices.Contains(free, name):
			t.Errorf("%s: Coracle sets --%s, which a config may set too; add it to the owned flags, or to the free ones of this test", component, name)
		}
	}
}
