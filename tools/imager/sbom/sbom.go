// Package sbom says what an image is made of: an SPDX 2.3 document, and the text of every licence.
package sbom

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/tools/imager/debian"
)

// Names of what [Write] makes in its folder.
const (
	DocumentName = "sbom.spdx.json"
	LicensesName = "licenses"
	IndexName    = "index.txt" // in LicensesName
)

// Spec describes an image.
type Spec struct {
	Name           string           // such as coracle-amd64
	Version        string           // Coracle's
	Created        time.Time        // of the sources, so that a build repeats byte for byte
	Repository     string           // folder of go.mod: programs of its module have its LICENSE
	Debian         []debian.Package // those that the image has files of
	Missing        []debian.Missing // suites of Debian that nothing could be taken from
	CommonLicenses string           // folder usr/share/common-licenses of Debian's base-files, which copyright files refer to
	Programs       []Program        // Go programs
}

// Program is a Go program of the image.
type Program struct {
	Path   string           // in the image
	File   string           // on the build host
	Static []debian.Package // C libraries that are linked into it
}

// Write puts the document and the licences into the folder dir, which it makes. Licence texts that an earlier build
// left there are removed.
func Write(dir string, s Spec) error {
	components, err := s.components()
	if err != nil {
		return fmt.Errorf("list what %s is made of: %w", s.Name, err)
	}
	licenses := filepath.Join(dir, LicensesName)
	if err := os.RemoveAll(licenses); err != nil {
		return err
	}
	if err := os.MkdirAll(licenses, 0o755); err != nil {
		return err
	}
	store := newTexts()
	for _, c := range components {
		store.add(c)
	}
	if err := store.write(licenses); err != nil {
		return err
	}
	document, err := json.MarshalIndent(s.document(components), "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, DocumentName), append(document, '\n'), 0o644)
}

// component is one thing that an image is made of.
type component struct {
	kind     kind
	name     string
	version  string
	file     string // in the image; programs only
	sha256   string // hex
	source   string // what it was built from, for a person
	supplier string
	purl     string // package-url.org
	declared string // SPDX licence expression, or noAssertion
	comment  string // what the licence is called where SPDX has no name for it
	texts    []text
	links    []string // ids of the components that are linked into it
}

type kind string

const (
	program       kind = "program"
	goModule      kind = "go"
	debianPackage kind = "deb"
)

const noAssertion = "NOASSERTION"

// id is the component's SPDX identifier: letters, digits, dots and hyphens.
func (c component) id() string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-':
			return r
		case r == '/':
			return '-'
		}
		return '.'
	}, strings.TrimPrefix(c.name, "/"))
	return "SPDXRef-" + string(c.kind) + "-" + clean + "-" + strings.NewReplacer("+", ".", "~", ".", ":", ".", "/", "-").Replace(c.version)
}

func (c component) label() string { return strings.TrimSpace(c.name + " " + c.version) }

// components are all of them, each once, in the order of their ids.
func (s Spec) components() ([]component, error) {
	found := map[string]component{}
	for _, p := range s.Debian {
		c, err := s.debianPackage(p)
		if err != nil {
			return nil, err
		}
		found[c.id()] = c
	}
	modules := moduleReader{repository: s.Repository, version: s.Version, known: map[string]component{}}
	for _, p := range s.Programs {
		c, linked, err := modules.program(p)
		if err != nil {
			return nil, err
		}
		for _, lib := range p.Static {
			l, err := s.debianPackage(lib)
			if err != nil {
				return nil, err
			}
			linked = append(linked, l)
		}
		for _, l := range linked {
			c.links = append(c.links, l.id())
			found[l.id()] = l
		}
		found[c.id()] = c
	}
	var all []component
	for _, c := range found {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b component) int { return strings.Compare(a.id(), b.id()) })
	return all, nil
}
