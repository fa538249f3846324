package sbom

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/tools/imager/debian"
)

const copyrightFile = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: A
License: GPL-2+

Files: lib/*
Copyright: B
License: BSD-3-clause or GPL-2

License: GPL-2+
 On Debian systems see /usr/share/common-licenses/GPL-2.
`

func testSpec(t *testing.T) Spec {
	t.Helper()
	root := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("usr/share/doc/one/copyright", copyrightFile)
	write("usr/share/common-licenses/GPL-2", "the text of the GPL\n")
	if err := os.Symlink("one", filepath.Join(root, "usr/share/doc/libone1")); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(root, "pause")
	build := exec.Command("go", "build", "-o", program, "../../../images/containers/pause")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return Spec{
		Name: "coracle-test", Version: "1.2.3", Created: time.Unix(1_790_000_000, 0), Repository: "../../..",
		CommonLicenses: filepath.Join(root, "usr/share/common-licenses"),
		Debian: []debian.Package{
			{Name: "one", Version: "1:2~3", Arch: "amd64", Source: "one", SourceVersion: "1", SHA256: "ab", Root: root},
			{Name: "libone1", Version: "2", Arch: "amd64", Source: "one", SourceVersion: "1", SHA256: "cd", Root: root},
		},
		Programs: []Program{{Path: "/usr/bin/pause", File: program}},
	}
}

func TestWrite(t *testing.T) {
	s := testSpec(t)
	var documents [2][]byte
	dir := t.TempDir()
	for i := range documents {
		if err := Write(dir, s); err != nil {
			t.Fatal(err)
		}
		documents[i], _ = os.ReadFile(filepath.Join(dir, DocumentName))
	}
	if !bytes.Equal(documents[0], documents[1]) {
		t.Error("two builds differ")
	}
	var doc spdxDocument
	if err := json.Unmarshal(documents[0], &doc); err != nil {
		t.Fatal(err)
	}
	declared := map[string]string{}
	ids := map[string]bool{documentID: true}
	for _, p := range doc.Packages {
		declared[p.Name] = p.Declared
		if ids[p.ID] {
			t.Errorf("%s is there twice", p.ID)
		}
		ids[p.ID] = true
	}
	for name, want := range map[string]string{
		"one":                           "(BSD-3-Clause OR GPL-2.0-only) AND GPL-2.0-or-later",
		"libone1":                       "(BSD-3-Clause OR GPL-2.0-only) AND GPL-2.0-or-later",
		"std":                           "BSD-3-Clause AND LicenseRef-Google-Patents-File",
		"github.com/coracle-os/coracle": "Apache-2.0",
		"/usr/bin/pause":                "Apache-2.0",
	} {
		if got := declared[name]; got != want && got+" AND LicenseRef-Google-Patents-File" != want {
			t.Errorf("licence of %s is %q, want %q", name, got, want)
		}
	}
	for _, r := range doc.Relationships {
		if !ids[r.Element] || !ids[r.Related] {
			t.Errorf("%+v names something that is not there", r)
		}
	}
	index, err := os.ReadFile(filepath.Join(dir, LicensesName, IndexName))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(index), "(common-licenses/GPL-2)"); n != 2 {
		t.Errorf("the GPL is named %d times, want for each of two packages:\n%s", n, index)
	}
}

func TestWriteSaysWhichSuitesAreMissing(t *testing.T) {
	s := testSpec(t)
	if got := s.document(nil).Creation.Comment; got != "" {
		t.Errorf("with all suites the comment is %q", got)
	}
	s.Missing = []debian.Missing{{Suite: "trixie-security", Has: "security updates", Reason: "Hash Sum mismatch"}}
	if got := s.document(nil).Creation.Comment; !strings.Contains(got, "without the security updates of trixie-security") {
		t.Errorf("comment %q", got)
	}
}

func TestWriteNamesWhatIsMissing(t *testing.T) {
	for want, change := range map[string]func(*Spec){
		"common licence GPL-2":         func(s *Spec) { s.CommonLicenses = "/does/not/exist" },
		"copyright file of Debian":     func(s *Spec) { s.Debian[0].Name = "other" },
		"read Go build information":    func(s *Spec) { s.Programs[0].File = "sbom_test.go" },
		"is in one, which is not amon": func(s *Spec) { s.Debian = s.Debian[1:] },
	} {
		s := testSpec(t)
		change(&s)
		if err := Write(t.TempDir(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestDebianLicense(t *testing.T) {
	for name, test := range map[string]struct{ copyright, want string }{
		"machine-readable": {copyrightFile, "(BSD-3-Clause OR GPL-2.0-only) AND GPL-2.0-or-later"},
		"prose":            {"This package was debianized by somebody.", noAssertion},
		"unknown":          {strings.Replace(copyrightFile, "GPL-2+", "my-own", 1), noAssertion},
	} {
		if got, _ := debianLicense(test.copyright); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func FuzzDebianLicense(f *testing.F) {
	f.Add(copyrightFile)
	f.Fuzz(func(t *testing.T, copyright string) {
		if expression, comment := debianLicense(copyright); (expression == noAssertion) == (comment == "") {
			t.Errorf("licence %q, comment %q: one of them should say something", expression, comment)
		}
	})
}
