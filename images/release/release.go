// Package release describes the build that an image was made from.
package release

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Path is where the description is in a running machine's root.
const Path = "/usr/share/coracle/release.json"

// Release is the content of [Path].
type Release struct {
	Version    string `json:"version"`           // Coracle's version, semver without a leading v
	Arch       string `json:"arch"`              // GOARCH of the image: amd64, arm64 or arm
	Flavour    string `json:"flavour,omitempty"` // of the architecture's images; empty: the plain one
	Kubernetes string `json:"kubernetes"`        // such as v1.37.2
	Kernel     string `json:"kernel"`            // kernel release as in uname -r
	BuildTime  int64  `json:"buildTime"`         // Unix seconds; the clock of a machine never goes below it
}

// Built is BuildTime as a time in UTC.
func (r Release) Built() time.Time { return time.Unix(r.BuildTime, 0).UTC() }

// Read reads the release description from path.
func Read(path string) (Release, error) {
	var r Release
	b, err := os.ReadFile(path)
	if err != nil {
		return r, fmt.Errorf("read release description: %w", err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("parse release description %s: %w", path, err)
	}
	return r, nil
}
