package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The types are those of the SPDX 2.3 JSON schema (spdx.github.io/spdx-spec/v2.3), as far as they are used here.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		DataLicense   string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
		Extracted     []spdxLicense      `json:"hasExtractedLicensingInfos,omitempty"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
		Comment  string   `json:"comment,omitempty"`
	}
	spdxPackage struct {
		ID            string          `json:"SPDXID"`
		Name          string          `json:"name"`
		Version       string          `json:"versionInfo"`
		File          string          `json:"packageFileName,omitempty"`
		Supplier      string          `json:"supplier,omitempty"`
		Download      string          `json:"downloadLocation"`
		FilesAnalyzed bool            `json:"filesAnalyzed"`
		Checksums     []spdxChecksum  `json:"checksums,omitempty"`
		Source        string          `json:"sourceInfo,omitempty"`
		Concluded     string          `json:"licenseConcluded"`
		Declared      string          `json:"licenseDeclared"`
		Comments      string          `json:"licenseComments,omitempty"`
		Copyright     string          `json:"copyrightText"`
		References    []spdxReference `json:"externalRefs,omitempty"`
		Purpose       string          `json:"primaryPackagePurpose,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxReference struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
	spdxLicense struct {
		ID   string `json:"licenseId"`
		Text string `json:"extractedText"`
	}
)

const (
	documentID = "SPDXRef-DOCUMENT"
	imageID    = "SPDXRef-image"
)

func (s Spec) document(components []component) spdxDocument {
	doc := spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: documentID, Name: s.Name + "-" + s.Version,
		Creation: spdxCreation{Created: s.Created.UTC().Format(time.RFC3339), Creators: []string{"Tool: coracle-imager"}, Comment: s.lacks()},
		Packages: []spdxPackage{{
			ID: imageID, Name: s.Name, Version: s.Version, Download: noAssertion, Concluded: noAssertion,
			Declared: noAssertion, Copyright: noAssertion, Purpose: "OPERATING-SYSTEM",
		}},
		Relationships: []spdxRelationship{{documentID, "DESCRIBES", imageID}},
	}
	identity := sha256.New()
	for _, c := range components {
		fmt.Fprintln(identity, c.id(), c.sha256)
		doc.Packages = append(doc.Packages, c.spdx())
		if c.kind != goModule { // modules are in the image as parts of programs
			doc.Relationships = append(doc.Relationships, spdxRelationship{imageID, "CONTAINS", c.id()})
		}
		for _, id := range c.links {
			doc.Relationships = append(doc.Relationships, spdxRelationship{c.id(), "STATIC_LINK", id})
		}
	}
	doc.Namespace = fmt.Sprintf("https://github.com/coracle-os/coracle/spdx/%s-%s-%s",
		s.Name, s.Version, hex.EncodeToString(identity.Sum(nil)[:16]))
	doc.Extracted = extracted(components)
	return doc
}

// lacks says what the image would have had of more suites of Debian.
func (s Spec) lacks() string {
	var suites []string
	for _, m := range s.Missing {
		suites = append(suites, "the "+m.Has+" of "+m.Suite)
	}
	if suites == nil {
		return ""
	}
	return "Debian's packages are without " + strings.Join(suites, " and ") + ", whose signed package lists could not be had."
}

func (c component) spdx() spdxPackage {
	p := spdxPackage{
		ID: c.id(), Name: c.name, Version: c.version, File: c.file, Supplier: c.supplier, Download: noAssertion,
		Source: c.source, Concluded: noAssertion, Declared: c.declared, Comments: c.comment, Copyright: noAssertion,
	}
	if c.sha256 != "" {
		p.Checksums = []spdxChecksum{{"SHA256", c.sha256}}
	}
	if c.purl != "" {
		p.References = []spdxReference{{"PACKAGE-MANAGER", "purl", c.purl}}
	}
	if c.kind == program {
		p.Purpose = "APPLICATION"
	}
	return p
}

// extracted has a text for each licence reference that SPDX's list does not know.
func extracted(components []component) (list []spdxLicense) {
	seen := map[string]bool{}
	for _, c := range components {
		for _, t := range c.texts {
			for _, id := range t.ids {
				if strings.HasPrefix(id, "LicenseRef-") && !seen[id] && strings.Contains(c.declared, id) {
					seen[id] = true
					list = append(list, spdxLicense{id, string(t.content)})
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b spdxLicense) int { return strings.Compare(a.ID, b.ID) })
	return list
}
