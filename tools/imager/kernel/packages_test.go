package kernel

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/tools/imager/debian"
)

// fakeArchive has unpacked packages by their names.
type fakeArchive map[string]debian.Package

func (a fakeArchive) Packages(_ context.Context, names ...string) ([]debian.Package, error) {
	var all []debian.Package
	for _, name := range names {
		p, ok := a[name]
		if !ok {
			return nil, fmt.Errorf("package %s is not there", name)
		}
		all = append(all, p)
	}
	return all, nil
}

// newArchive unpacks packages whose files, PACKAGE/PATH, have their own paths in them.
func newArchive(t *testing.T, depends map[string]string, files ...string) fakeArchive {
	t.Helper()
	dir := t.TempDir()
	a := fakeArchive{}
	for name, d := range depends {
		a[name] = debian.Package{Name: name, Depends: d, SHA256: "sum of " + name, Root: filepath.Join(dir, name)}
	}
	for _, name := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func TestFetch(t *testing.T) {
	const (
		old   = "6.12.1+deb13-arm64"
		newer = "7.3.4+deb13-arm64"
	)
	for name, tc := range map[string]struct {
		archive  fakeArchive
		release  string
		packages string // with anything of the kernel
		has      map[string]string
		problem  string
	}{
		"one package": {
			archive: newArchive(t, map[string]string{
				"linux-image-arm64":  "linux-image-" + old + " (= 6.12.1-1)",
				"linux-image-" + old: "kmod, linux-base (>= 4.3~), initramfs-tools | linux-initramfs-tool",
			}, "linux-image-"+old+"/boot/vmlinuz-"+old, "linux-image-"+old+"/usr/lib/modules/"+old+"/modules.builtin"),
			release: old, packages: "linux-image-" + old,
			has: map[string]string{"usr/lib/modules/" + old + "/modules.builtin": "linux-image"},
		},
		"several": {
			archive: newArchive(t, map[string]string{
				"linux-image-arm64":      "linux-base-arm64 (= 1), linux-image-" + newer + " (= 1), linux-modules-arm64 (= 1)",
				"linux-image-" + newer:   "dracut | initramfs-tools, linux-base-" + newer + " (= 1), linux-binary-" + newer + " (= 1), linux-modules-" + newer + " (= 1)",
				"linux-base-" + newer:    "",
				"linux-binary-" + newer:  "linux-base-" + newer + " (= 1)",
				"linux-modules-" + newer: "kmod, linux-base-" + newer + " (= 1)",
			}, "linux-image-"+newer+"/usr/share/doc/x", "linux-base-"+newer+"/usr/lib/modules/"+newer+"/dtb/broadcom/x.dtb",
				"linux-base-"+newer+"/usr/lib/modules/"+newer+"/modules.builtin", "linux-binary-"+newer+"/usr/lib/modules/"+newer+"/vmlinuz",
				"linux-modules-"+newer+"/usr/lib/modules/"+newer+"/kernel/fs/x.ko.xz"),
			release: newer, packages: "linux-base-" + newer + " linux-binary-" + newer + " linux-modules-" + newer,
			has: map[string]string{
				"usr/lib/modules/" + newer + "/dtb/broadcom/x.dtb": "linux-base", "usr/lib/modules/" + newer + "/kernel/fs/x.ko.xz": "linux-modules",
				"usr/lib/modules/" + newer + "/vmlinuz": "linux-binary",
			},
		},
		"no metapackage": {
			archive: newArchive(t, map[string]string{"linux-image-arm64": "libc6"}),
			problem: "is it a kernel metapackage?",
		},
		"a part is missing": {
			archive: newArchive(t, map[string]string{"linux-image-arm64": "linux-image-" + newer, "linux-image-" + newer: "linux-modules-" + newer}),
			problem: "linux-modules-" + newer + " is not there",
		},
		"nothing in it": {
			archive: newArchive(t, map[string]string{"linux-image-arm64": "linux-image-" + newer, "linux-image-" + newer: ""}),
			problem: "none of its packages",
		},
		"no kernel in it": {
			archive: newArchive(t, map[string]string{"linux-image-arm64": "linux-image-" + old, "linux-image-" + old: ""}, "linux-image-"+old+"/usr/lib/x"),
			problem: "has no kernel",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // the second time it is there already
				k, err := Fetch(t.Context(), tc.archive, "linux-image-arm64")
				if tc.problem != "" {
					if err == nil || !strings.Contains(err.Error(), tc.problem) {
						t.Fatalf("error %v, want one with %q", err, tc.problem)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, p := range k.Packages {
					names = append(names, p.Name)
				}
				if got := strings.Join(names, " "); k.Release != tc.release || got != tc.packages {
					t.Errorf("release %s of %s, want %s of %s", k.Release, got, tc.release, tc.packages)
				}
				for file, from := range tc.has {
					if b, err := os.ReadFile(filepath.Join(k.Root, file)); err != nil || !strings.HasPrefix(string(b), from) {
						t.Errorf("%s is %q, %v; want that of %s", file, b, err, from)
					}
				}
				if _, err := os.Stat(k.Image); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// What was together is made again when a package is another.
func TestTogetherFollowsPackages(t *testing.T) {
	a := newArchive(t, map[string]string{"one": "", "two": ""}, "one/usr/lib/a", "two/usr/lib/b")
	if _, err := together([]debian.Package{a["one"], a["two"]}); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(a["two"].Root, "usr/lib/b"), filepath.Join(a["two"].Root, "usr/lib/c")); err != nil {
		t.Fatal(err)
	}
	two := a["two"]
	two.SHA256 = "another"
	root, err := together([]debian.Package{a["one"], two})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, "usr/lib"))
	if err != nil || len(entries) != 2 || entries[1].Name() != "c" {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestRealPackage(t *testing.T) {
	for depends, want := range map[string]string{
		"linux-base, linux-image-6.12.1+deb13-amd64 (= 6.12.1-1)": "linux-image-6.12.1+deb13-amd64",
		"libc6": "",
		"":      "",
	} {
		if got := realPackage(depends); got != want {
			t.Errorf("realPackage(%q) = %q, want %q", depends, got, want)
		}
	}
}
