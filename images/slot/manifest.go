package slot

import (
	"encoding/json"
	"fmt"
)

// Names in a slot's FAT.
const (
	KernelName   = "vmlinuz"
	InitrdName   = "initrd"
	GrubName     = "grub.cfg"
	ManifestName = "manifest.json"
)

// Manifest says what is in a slot. It is manifest.json in the slot's FAT. It is not signed: the signed one is that of
// the upgrade artifact.
type Manifest struct {
	Version       string `json:"version"`       // Coracle's version
	Arch          string `json:"arch"`          // GOARCH
	KernelRelease string `json:"kernelRelease"` // as in uname -r
	Size          uint64 `json:"size"`          // bytes of the slot image
	RootHash      string `json:"rootHash"`      // hex; what verity holds the root to
	Kernel        Digest `json:"vmlinuz"`
	Initrd        Digest `json:"initrd"`
	Root          Digest `json:"root"`
}

// Digest is the size and SHA-256 of a part.
type Digest struct {
	Size   uint64 `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hex
}

// ParseManifest reads manifest.json and checks that nothing is missing from it.
func ParseManifest(b []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("parse slot manifest: %w", err)
	}
	if m.Version == "" || m.Arch == "" || len(m.RootHash) != 64 {
		return m, fmt.Errorf("slot manifest: version, arch or rootHash is missing")
	}
	for name, d := range map[string]Digest{KernelName: m.Kernel, InitrdName: m.Initrd, "root": m.Root} {
		if d.Size == 0 || len(d.SHA256) != 64 {
			return m, fmt.Errorf("slot manifest: size or sha256 of %s is missing", name)
		}
	}
	return m, nil
}
