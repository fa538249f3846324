package sbom

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/tools/imager/debian"
)

// spdxNames maps the short names of Debian's copyright format to SPDX ids. Compound expressions are put together
// from them.
var spdxNames = map[string]string{
	"apache-2.0": "Apache-2.0", "artistic": "Artistic-1.0-Perl", "bsd-2-clause": "BSD-2-Clause",
	"bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause", "bsl-1.0": "BSL-1.0", "cc0-1.0": "CC0-1.0",
	"expat": "MIT", "mit": "MIT", "isc": "ISC", "zlib": "Zlib", "0bsd": "0BSD", "openssl": "OpenSSL",
	"gpl-1": "GPL-1.0-only", "gpl-1+": "GPL-1.0-or-later",
	"gpl-2": "GPL-2.0-only", "gpl-2+": "GPL-2.0-or-later",
	"gpl-2.0": "GPL-2.0-only", "gpl-2.0+": "GPL-2.0-or-later",
	"gpl-3": "GPL-3.0-only", "gpl-3+": "GPL-3.0-or-later", "gpl-3.0+": "GPL-3.0-or-later",
	"lgpl-2": "LGPL-2.0-only", "lgpl-2+": "LGPL-2.0-or-later", "lgpl-2.0+": "LGPL-2.0-or-later",
	"lgpl-2.1": "LGPL-2.1-only", "lgpl-2.1+": "LGPL-2.1-or-later",
	"lgpl-3": "LGPL-3.0-only", "lgpl-3+": "LGPL-3.0-or-later",
	"mpl-2.0": "MPL-2.0", "mpl-1.1": "MPL-1.1", "gfdl-1.3+": "GFDL-1.3-or-later", "psf-2": "PSF-2.0",
	"unlicense": "Unlicense", "x11": "X11",
}

func (s Spec) debianPackage(p debian.Package) (component, error) {
	c := component{
		kind: debianPackage, name: p.Name, version: p.Version, sha256: p.SHA256,
		supplier: "Organization: " + p.Distribution, declared: noAssertion,
		source: fmt.Sprintf("source package %s %s", p.Source, p.SourceVersion),
		purl:   fmt.Sprintf("pkg:deb/%s/%s@%s?arch=%s", p.Distribution, p.Name, url.QueryEscape(p.Version), p.Arch),
	}
	content, err := s.copyright(p)
	if err != nil {
		return c, err
	}
	t := newText("copyright", content, true)
	t.ids = nil // many licences at once: the file is named by its digest
	c.texts = []text{t}
	c.declared, c.comment = debianLicense(string(content))
	common, err := s.common(string(content))
	if err != nil {
		return c, fmt.Errorf("licence of Debian package %s: %w", p.Name, err)
	}
	c.texts = append(c.texts, common...)
	return c, nil
}

// copyright reads a package's copyright file. A package's documentation may be a link to that of another of the same
// source, which need not be unpacked in the same place.
func (s Spec) copyright(p debian.Package) ([]byte, error) {
	const doc = "usr/share/doc"
	name := filepath.Join(p.Root, doc, p.Name)
	if target, err := os.Readlink(name); err == nil {
		for _, other := range s.Debian {
			if other.Name == filepath.Base(target) && other.Name != p.Name {
				return s.copyright(other)
			}
		}
		return nil, fmt.Errorf("the copyright file of Debian package %s is in %s, which is not among the packages", p.Name, filepath.Base(target))
	}
	b, err := os.ReadFile(filepath.Join(name, "copyright"))
	if err != nil {
		return nil, fmt.Errorf("copyright file of Debian package %s: %w", p.Name, err)
	}
	return b, nil
}

var (
	licenseField = regexp.MustCompile(`(?mi)^License:[ \t]*(\S.*)$`)
	separator    = regexp.MustCompile(`(?i)[ ,]+(and|or)[ ,]+|, *`)
	commonFile   = regexp.MustCompile(`/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])`)
)

// debianLicense is the licence expression of a machine-readable copyright file (DEP 5): all licences of all files. If
// SPDX has no name for one, the comment has Debian's names.
func debianLicense(copyright string) (expression, comment string) {
	head, _, _ := strings.Cut(copyright, "\n")
	if !strings.Contains(head, "copyright-format") {
		return noAssertion, "the copyright file is not machine-readable"
	}
	var expressions, names []string
	unknown := false
	for stanza := range strings.SplitSeq(strings.ReplaceAll(copyright, "\r", ""), "\n\n") {
		if !strings.HasPrefix(strings.TrimLeft(stanza, "\n"), "Files:") {
			continue // the text of a licence that a Files stanza names
		}
		m := licenseField.FindStringSubmatch(stanza)
		if m == nil {
			continue
		}
		name := strings.TrimSpace(m[1])
		names = append(names, name)
		if e, ok := expressionOf(name); ok {
			expressions = append(expressions, e)
		} else {
			unknown = true
		}
	}
	slices.Sort(names)
	if unknown || len(names) == 0 {
		return noAssertion, "Debian calls it " + strings.Join(slices.Compact(names), "; ")
	}
	slices.Sort(expressions)
	return strings.Join(slices.Compact(expressions), " AND "), ""
}

// expressionOf translates a short name, or a plain combination by one of "and" and "or".
func expressionOf(name string) (string, bool) {
	parts := separator.Split(name, -1)
	lower := strings.ToLower(name)
	operator := " AND "
	if strings.Contains(lower, " or ") {
		if strings.Contains(lower, " and ") {
			return "", false
		}
		operator = " OR "
	}
	for i, p := range parts {
		id, ok := spdxNames[strings.ToLower(strings.TrimSpace(p))]
		if !ok {
			return "", false
		}
		parts[i] = id
	}
	expression := strings.Join(parts, operator)
	if operator == " OR " {
		expression = "(" + expression + ")"
	}
	return expression, true
}

// common reads the licences that a copyright file refers to instead of quoting them.
func (s Spec) common(copyright string) ([]text, error) {
	var names []string
	for _, m := range commonFile.FindAllStringSubmatch(copyright, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	var found []text
	for _, name := range slices.Compact(names) {
		content, err := os.ReadFile(filepath.Join(s.CommonLicenses, name))
		if err != nil {
			return nil, fmt.Errorf("common licence %s: %w", name, err)
		}
		found = append(found, newText("common-licenses/"+name, content, false))
	}
	return found, nil
}
