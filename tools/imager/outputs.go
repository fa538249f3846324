package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/coracle-os/coracle/images/slot/artifact"
)

// output is a file that a build made.
type output struct {
	Name   string `json:"name"` // relative to the build's folder
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// parts are the outputs below work, besides programs and container images: what an image is put together from.
var parts = []string{"root.img", "root.verity", "initrd", "slot.img"}

// writeDigests lists everything that was made, in coracle-ARCH.digests.json.
func (b *builder) writeDigests(made goal) (string, error) {
	if err := b.publishRecords(); err != nil {
		return "", err
	}
	var names []string // what is made of others comes after them
	err := filepath.WalkDir(b.inWork("bin"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	for _, c := range b.definition.Containers {
		names = append(names, b.containerFile(c))
	}
	for _, part := range parts {
		names = append(names, b.inWork(part))
	}
	names = append(names, b.path(".yml"), b.path(".spdx.json"))
	for _, image := range b.diskImages() {
		names = append(names, image, image+".zst")
	}
	if made&upgradeArtifact != 0 {
		names = append(names, b.artifactFile(), b.artifactFile()+artifact.IndexEnding)
	}
	for _, name := range names {
		sum, n, err := digestAndSize(name)
		if err != nil {
			return "", err
		}
		rel, err := filepath.Rel(b.out, name)
		if err != nil {
			return "", err
		}
		b.outputs = append(b.outputs, output{Name: rel, Size: n, SHA256: hex.EncodeToString(sum)})
	}
	text, err := json.MarshalIndent(b.outputs, "", "  ")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d files", len(b.outputs)), os.WriteFile(b.path(".digests.json"), append(text, '\n'), 0o644)
}

func digestAndSize(name string) ([]byte, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", name, err)
	}
	return h.Sum(nil), n, nil
}
