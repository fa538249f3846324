package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/blake2b"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/chunks"
	"github.com/coracle-os/coracle/machined/keys"
)

// developmentKeyName is the file, in the cache, of the key that signs what is built from this clone. Images trust it, unless
// they are for release.
const developmentKeyName = "development.key"

func (b *builder) developmentKey() (ed25519.PrivateKey, error) {
	return keys.LoadOrCreate(filepath.Join(b.cache, developmentKeyName))
}

// layTrust writes whose artifacts a machine takes.
func (b *builder) layTrust(context.Context) error {
	var text bytes.Buffer
	text.WriteString("# Whose upgrade artifacts are installed: public keys, and their names.\n")
	for _, k := range b.definition.Trust {
		fmt.Fprintf(&text, "%s %s\n", k.Key, k.Name)
	}
	if !b.options.release {
		key, err := b.developmentKey()
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s development\n", keys.Public(key))
	}
	return b.root.Write(artifact.TrustPath, text.Bytes(), 0o644)
}

// layOverlay puts files over those of the root, for images that test something. What was there before is kept in /overlaid.
func (b *builder) layOverlay(context.Context) error {
	if b.options.overlay == "" {
		return nil
	}
	return b.root.Overlay(b.options.overlay, "/overlaid")
}

// signingKey signs artifacts; nil: they are not signed.
func (b *builder) signingKey() (ed25519.PrivateKey, error) {
	switch {
	case b.options.unsigned:
		return nil, nil
	case b.options.key != "":
		return keys.Load(b.options.key)
	case b.options.release:
		return nil, errors.New("a release is signed by a key of its own: give --key FILE, or --unsigned and sign it later")
	}
	return b.developmentKey()
}

// writeArtifact makes the upgrade artifact of the slot image, and the index of its chunks.
func (b *builder) writeArtifact(context.Context) (string, error) {
	key, err := b.signingKey()
	if err != nil {
		return "", err
	}
	out := filepath.Join(b.out, "coracle-"+b.source.Version+"-"+b.arch.Name+artifact.Ending)
	packed := b.inWork("slot.img.zst")
	index, err := packImage(b.inWork("slot.img"), packed)
	if err != nil {
		return "", err
	}
	indexBytes, err := index.MarshalBinary()
	if err != nil {
		return "", err
	}
	m := artifact.Manifest{
		Format: artifact.Format, Version: b.source.Version, Arch: b.arch.Name, Kubernetes: b.source.Kubernetes, Kernel: b.kernel.Release,
		Built: b.source.Time.Unix(), MinimumVersion: b.definition.MinimumVersion, DataFormat: artifact.DataFormat, RootHash: b.tree.RootHash,
		Index: partOf(indexBytes),
	}
	if m.Image, err = partOfFile(b.inWork("slot.img")); err != nil {
		return "", err
	}
	if m.Packed, err = partOfFile(packed); err != nil {
		return "", err
	}
	manifest, err := m.Marshal()
	if err != nil {
		return "", err
	}
	var signatures []byte
	by := "not signed"
	if key != nil {
		signatures = artifact.Sign(manifest, key)
		by = "signed by " + keys.Public(key).Fingerprint()
	}
	if err := assembleArtifact(out, m, manifest, signatures, packed); err != nil {
		return "", err
	}
	if err := os.WriteFile(out+artifact.IndexEnding, indexBytes, 0o644); err != nil {
		return "", err
	}
	text, err := describe(out, false, nil)
	return text + ", " + by, err
}

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

func replaceFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// sign adds a signature to an artifact.
func sign(name, keyFile string) error {
	if keyFile == "" {
		return errors.New("sign: whose signature? give --key FILE")
	}
	key, err := keys.Load(keyFile)
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	a, err := artifact.Read(f)
	if err != nil {
		return fmt.Errorf("sign %s: %w", name, err)
	}
	if strings.Contains(string(a.Signatures), keys.Public(key).String()) {
		return fmt.Errorf("%s is signed by that key already", name)
	}
	signatures := append(a.Signatures, artifact.Sign(a.RawManifest, key)...)
	err = replaceFile(name, func(w io.Writer) error {
		return artifact.Write(w, a.RawManifest, signatures, a.Image, int64(a.Manifest.Packed.Size), a.Manifest.Time())
	})
	if err != nil {
		return fmt.Errorf("sign %s: %w", name, err)
	}
	fmt.Printf("%s is signed by %s\n", name, keys.Public(key).Fingerprint())
	return nil
}
