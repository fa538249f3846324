package main

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/crypto/blake2b"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/chunks"
)

// artifactFile is where the upgrade artifact is.
func (b *builder) artifactFile() string {
	return filepath.Join(b.out, "coracle-"+b.source.Version+"-"+b.image()+artifact.Ending)
}

// writeArtifact makes the upgrade artifact of the slot image, and the index of its chunks.
func (b *builder) writeArtifact(context.Context) (string, error) {
	key, err := b.signingKey()
	if err != nil {
		return "", err
	}
	out := b.artifactFile()
	packed := b.inWork("slot.img.zst")
	index, err := packImage(b.inWork("slot.img"), packed)
	if err != nil {
		return "", err
	}
	indexBytes, err := index.MarshalBinary()
	if err != nil {
		return "", err
	}
	m, err := b.describeArtifact(packed, indexBytes)
	if err != nil {
		return "", err
	}
	manifest, err := m.Marshal()
	if err != nil {
		return "", err
	}
	var signatures []byte
	if key != nil {
		signatures = artifact.Sign(manifest, key)
	}
	by, err := b.signedBy(key)
	if err != nil {
		return "", err
	}
	if err := assembleArtifact(out, m, manifest, signatures, packed); err != nil {
		return "", err
	}
	err = replaceFile(out+artifact.IndexEnding, func(w io.Writer) error {
		_, err := w.Write(indexBytes)
		return err
	})
	if err != nil {
		return "", err
	}
	text, err := describe(out, false, nil)
	return text + ", " + by, err
}

// describeArtifact is the manifest of the artifact with the packed slot image and the index of its chunks.
func (b *builder) describeArtifact(packed string, index []byte) (m artifact.Manifest, err error) {
	m = artifact.Manifest{
		Format: artifact.Format, Version: b.source.Version, Arch: b.arch.GOARCH, Flavour: b.definition.Flavour, Kubernetes: b.source.Kubernetes, Kernel: b.kernel.Release,
		Built: b.source.Time.Unix(), MinimumVersion: b.definition.MinimumVersion, DataFormat: artifact.DataFormat, RootHash: b.tree.RootHash,
		Index: partOf(index),
	}
	if m.Image, err = partOfFile(b.inWork("slot.img")); err != nil {
		return m, err
	}
	m.Packed, err = partOfFile(packed)
	return m, err
}

// packImage packs the slot image from into the file to.
func packImage(from, to string) (chunks.Index, error) {
	in, err := os.Open(from)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return nil, err
	}
	index, err := chunks.Pack(out, in)
	return index, errors.Join(err, out.Close())
}

func partOf(b []byte) artifact.Part {
	sum := blake2b.Sum256(b)
	return artifact.Part{Size: uint64(len(b)), Hash: hex.EncodeToString(sum[:])}
}

func partOfFile(name string) (artifact.Part, error) {
	f, err := os.Open(name)
	if err != nil {
		return artifact.Part{}, err
	}
	defer f.Close()
	h, err := blake2b.New256(nil)
	if err != nil {
		return artifact.Part{}, err
	}
	n, err := io.Copy(h, f)
	return artifact.Part{Size: uint64(n), Hash: hex.EncodeToString(h.Sum(nil))}, err
}

// assembleArtifact writes an artifact that is there under its name only when it is whole.
func assembleArtifact(out string, m artifact.Manifest, manifest, signatures []byte, packed string) error {
	image, err := os.Open(packed)
	if err != nil {
		return err
	}
	defer image.Close()
	return replaceFile(out, func(w io.Writer) error {
		return artifact.Write(w, manifest, signatures, image, int64(m.Packed.Size), m.Time())
	})
}
