package sbom

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// text is a licence or notice.
type text struct {
	name    string // of the file, relative to its module or package
	content []byte
	ids     []string // SPDX ids; empty if it is not recognised
	licence bool     // it declares the licence of the whole; a notice or a part's licence does not
}

var (
	licenceFile = regexp.MustCompile(`(?i)^(licen[sc]e|copying|unlicense)([._-].*)?$`)
	noticeFile  = regexp.MustCompile(`(?i)^(notice|patents|copyright|authors)([._-].*)?$`)
	sourceFile  = regexp.MustCompile(`(?i)\.(go|py|sh|js|ts|c|h|ya?ml|json|tmpl|tpl|header)$`)
	// LICENSES of Kubernetes is for what a vendor folder has; those modules come with their own.
	skippedDirs = []string{"vendor", "testdata", "LICENSES", "node_modules", ".git", ".github"}
)

// readTexts reads the licences in dir, and when deep is set those of its parts below.
func readTexts(dir string, deep bool) ([]text, error) {
	var texts []text
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != dir && (!deep || slices.Contains(skippedDirs, d.Name())) {
				return filepath.SkipDir
			}
			return nil
		}
		root := filepath.Dir(name) == dir
		licence := licenceFile.MatchString(d.Name())
		if !d.Type().IsRegular() || sourceFile.MatchString(d.Name()) || !licence && !(root && noticeFile.MatchString(d.Name())) {
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		texts = append(texts, newText(filepath.ToSlash(rel), content, root && licence))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for licences in %s: %w", dir, err)
	}
	return texts, nil
}

func newText(name string, content []byte, licence bool) text {
	content = normalize(content)
	return text{name, content, classify(content), licence}
}

// normalize makes copies of one text equal that differ in the ends of lines.
func normalize(content []byte) []byte {
	var out []byte
	for line := range bytes.Lines(content) {
		out = append(append(out, bytes.TrimRight(line, " \t\r\n")...), '\n')
	}
	return append(bytes.Trim(out, "\n"), '\n')
}

// covered is how many percent of a text must be known licences for it to be named by them. Lists of authors and
// addenda are the rest.
const covered = 60

// unlisted maps licensecheck's names that SPDX does not have to names of ours.
var unlisted = map[string]string{
	"GooglePatentClause": "LicenseRef-Google-Patent-Clause",
	"GooglePatentsFile":  "LicenseRef-Google-Patents-File",
	"CommonsClause":      "LicenseRef-Commons-Clause",
}

func classify(content []byte) []string {
	coverage := licensecheck.Scan(content)
	if coverage.Percent < covered {
		return nil
	}
	var ids []string
	for _, m := range coverage.Match {
		id := m.ID
		if ours, ok := unlisted[id]; ok {
			id = ours
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// declared is the licence expression of a component, and a comment when it has none.
func declared(texts []text) (expression, comment string) {
	var ids []string
	found := false
	for _, t := range texts {
		if !t.licence {
			continue
		}
		found = true
		if len(t.ids) == 0 {
			return noAssertion, t.name + " is not the text of a known licence"
		}
		ids = append(ids, t.ids...)
	}
	if !found {
		return noAssertion, "no licence file"
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " AND "), ""
}

// texts keeps every distinct licence text once, and who uses it.
type texts struct {
	byName map[string][]byte
	users  map[string][]string // component to the names of its texts
}

func newTexts() *texts { return &texts{map[string][]byte{}, map[string][]string{}} }

func (t *texts) add(c component) {
	for _, one := range c.texts {
		sum := sha256.Sum256(one.content)
		name := hex.EncodeToString(sum[:4]) + ".txt"
		if len(one.ids) > 0 && len(one.ids) <= 2 {
			name = strings.Join(one.ids, "_") + "-" + name
		}
		t.byName[name] = one.content
		t.users[c.label()] = append(t.users[c.label()], name+" ("+one.name+")")
	}
}

// write makes one file of each text, and an index by component.
func (t *texts) write(dir string) error {
	for name, content := range t.byName {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	var index bytes.Buffer
	index.WriteString("What this image is made of, and the licences and notices of each part.\n")
	labels := make([]string, 0, len(t.users))
	for label := range t.users {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	for _, label := range labels {
		fmt.Fprintf(&index, "\n%s\n", label)
		for _, use := range t.users[label] {
			fmt.Fprintf(&index, "  %s\n", use)
		}
	}
	return os.WriteFile(filepath.Join(dir, IndexName), index.Bytes(), 0o644)
}
