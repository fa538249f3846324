// Package artifact is the upgrade artifact, coracle-VERSION-ARCH.slot: a tar of a manifest, its signatures and a packed
// slot image, in this order, so that a machine knows whether to trust and whether to take it before it reads the image.
package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/semver"
)

// Members of the tar, in their order.
const (
	ManifestName  = "manifest.json"
	SignatureName = "manifest.json.sig"
	ImageName     = "slot.img.zst"
)

// Endings of the names of an artifact and of the index of its chunks beside it.
const (
	Ending      = ".slot"
	IndexEnding = ".index"
)

// MaxManifest is the most bytes that a manifest, or the signatures, may have.
const MaxManifest = 64 << 10

// Format is the version of the artifact's format that this package reads and writes.
const Format = 1

// DataFormat is the format of DATA that this version of Coracle writes. It is raised when an older version could no
// longer use what a newer one has written.
const DataFormat = 1

// Manifest says what an artifact holds. It is what is signed.
type Manifest struct {
	Format         int    `json:"format"`                   // [Format]
	Version        string `json:"version"`                  // Coracle's, semver without a leading v
	Arch           string `json:"arch"`                     // GOARCH
	Flavour        string `json:"flavour,omitempty"`        // of the architecture's images; empty: the plain one
	Kubernetes     string `json:"kubernetes"`               // such as v1.37.2
	Kernel         string `json:"kernel"`                   // as in uname -r
	Built          int64  `json:"built"`                    // Unix seconds
	MinimumVersion string `json:"minimumVersion,omitempty"` // the oldest version that can be upgraded to this; empty: any
	DataFormat     int    `json:"dataFormat"`               // of DATA, that this version writes
	RootHash       string `json:"rootHash"`                 // hex; what verity holds the root to
	Image          Part   `json:"image"`                    // the slot image, unpacked; what a machine checks
	Packed         Part   `json:"packed"`                   // slot.img.zst, for people and mirrors
	Index          Part   `json:"index"`                    // of the chunks, a file beside the artifact
}

// Part is the size and BLAKE2b-256 of a file. `b2sum -l 256` prints the same.
type Part struct {
	Size uint64 `json:"size"`        // bytes
	Hash string `json:"blake2b-256"` // hex
}

// largest bounds sizes in a manifest, far beyond any slot and far below an overflow, in bytes.
const largest = 1 << 40

// Time is when the version was built.
func (m Manifest) Time() time.Time { return time.Unix(m.Built, 0) }

// ParseManifest reads a manifest, and checks that what it says can be true. Fields of later versions are ignored.
func ParseManifest(b []byte) (Manifest, error) {
	var m Manifest
	if len(b) > MaxManifest {
		return m, fmt.Errorf("artifact's manifest: %d bytes, at most %d", len(b), MaxManifest)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("artifact's manifest: %w", err)
	}
	if err := m.check(); err != nil {
		return m, fmt.Errorf("artifact's manifest: %w", err)
	}
	return m, nil
}

func (m Manifest) check() error {
	switch {
	case m.Format != Format:
		return fmt.Errorf("format %d, this version of Coracle reads format %d: upgrade to a version between first", m.Format, Format)
	case !IsVersion(m.Version):
		return fmt.Errorf("version %q is not a semantic version", m.Version)
	case m.MinimumVersion != "" && !IsVersion(m.MinimumVersion):
		return fmt.Errorf("minimumVersion %q is not a semantic version", m.MinimumVersion)
	case m.Arch == "":
		return errors.New("arch is missing")
	case !strings.HasPrefix(m.Kubernetes, "v") || !IsVersion(m.Kubernetes[1:]):
		return fmt.Errorf("kubernetes %q is not a version", m.Kubernetes)
	case !isHash(m.RootHash):
		return fmt.Errorf("rootHash %q is not 64 hex digits", m.RootHash)
	}
	for _, part := range []struct {
		name     string
		optional bool
		Part
	}{{"image", false, m.Image}, {"packed", false, m.Packed}, {"index", true, m.Index}} {
		switch {
		case part.optional && part.Part == Part{}:
		case part.Size == 0 || part.Size > largest:
			return fmt.Errorf("%s: size %d is not between 1 and %d", part.name, part.Size, uint64(largest))
		case !isHash(part.Hash):
			return fmt.Errorf("%s: hash %q is not 64 hex digits", part.name, part.Hash)
		}
	}
	return nil
}

// isHash is whether s is 32 bytes in hex as we write it: hashes are compared as text.
func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && hex.EncodeToString(b) == s
}

// IsVersion is whether v is a semantic version with all three numbers, and without a leading v.
func IsVersion(v string) bool {
	return semver.IsValid("v"+v) && strings.HasPrefix("v"+v, semver.Canonical("v"+v))
}

// Digest names an artifact: the hex SHA-256 of its manifest as it is in the file.
func Digest(manifest []byte) string {
	sum := sha256.Sum256(manifest)
	return hex.EncodeToString(sum[:])
}

// Marshal writes a manifest as it is put into artifacts.
func (m Manifest) Marshal() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("artifact's manifest: %w", err)
	}
	b, err := json.MarshalIndent(m, "", "  ")
	return append(b, '\n'), err
}
