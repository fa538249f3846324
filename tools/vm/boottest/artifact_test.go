package boottest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/crypto/blake2b"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/chunks"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/vm/disk"
)

// Versions that `make test-artifacts` builds.
const (
	nextVersion   = "0.2.0" // as the image under test, but for its version
	faultyVersion = "0.2.1" // with command faulty
	laterVersion  = "0.3.0" // as nextVersion
)

// candidate is an upgrade artifact in a file.
type candidate struct{ path, version string }

// built is an artifact that was built.
func built(t testing.TB, version string) candidate {
	t.Helper()
	return builtIn(t, out(), version)
}

func builtIn(t testing.TB, dir, version string) candidate {
	t.Helper()
	path := filepath.Join(dir, "coracle-"+version+"-"+testArch()+".slot")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; `make test-artifacts` or `make test-trial-artifacts` builds it", err)
	}
	return candidate{path, version}
}

// signer is the key that images under test trust.
func signer(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	key, err := keys.Load(filepath.Join(out(), "cache", "development.key"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// open reads the manifest of an artifact; the image is left in it.
func (c candidate) open(t testing.TB) (*artifact.Artifact, *os.File) {
	t.Helper()
	f, err := os.Open(c.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	a, err := artifact.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return a, f
}

// changed is the artifact with another manifest, signed by a key, or by none.
func (l *lab) changed(c candidate, key ed25519.PrivateKey, change func(*artifact.Manifest)) []byte {
	l.Helper()
	a, _ := c.open(l.T)
	change(&a.Manifest)
	text, err := a.Manifest.Marshal()
	if err != nil {
		l.Fatal(err)
	}
	var signatures []byte
	if key != nil {
		signatures = artifact.Sign(text, key)
	}
	var file bytes.Buffer
	if err := artifact.Write(&file, text, signatures, a.Image, int64(a.Manifest.Packed.Size), a.Manifest.Time()); err != nil {
		l.Fatal(err)
	}
	return file.Bytes()
}

// remake is an artifact whose slot image was changed, of another version, signed as it should be.
func remake(t testing.TB, dir string, c candidate, version string, change func(path string) error) candidate {
	t.Helper()
	a, _ := c.open(t)
	image, packed := filepath.Join(dir, "slot.img"), filepath.Join(dir, "slot.img.zst")
	made := candidate{filepath.Join(dir, "coracle-"+version+".slot"), version}
	err := errors.Join(os.MkdirAll(dir, 0o700), unpackTo(image, a.Image))
	if err == nil {
		err = change(image)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(image)
	defer os.Remove(packed)
	index, err := packTo(packed, image)
	if err != nil {
		t.Fatal(err)
	}
	text, err := index.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	m := a.Manifest
	m.Version, m.Index = version, part(t, bytes.NewReader(text))
	for _, f := range []struct {
		path string
		part *artifact.Part
	}{{image, &m.Image}, {packed, &m.Packed}} {
		in, err := os.Open(f.path)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		*f.part = part(t, in)
	}
	manifest, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	to, err := os.Create(made.path)
	if err != nil {
		t.Fatal(err)
	}
	err = artifact.Write(to, manifest, artifact.Sign(manifest, signer(t)), in, int64(m.Packed.Size), m.Time())
	if err := errors.Join(err, to.Close(), os.WriteFile(made.path+artifact.IndexEnding, text, 0o644)); err != nil {
		t.Fatal(err)
	}
	return made
}

func unpackTo(path string, packed io.Reader) error {
	z, err := zstd.NewReader(packed)
	if err != nil {
		return err
	}
	defer z.Close()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, z)
	return errors.Join(err, f.Close())
}

func packTo(path, image string) (chunks.Index, error) {
	in, err := os.Open(image)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	index, err := chunks.Pack(f, in)
	return index, errors.Join(err, f.Close())
}

func part(t testing.TB, r io.Reader) artifact.Part {
	t.Helper()
	h, err := blake2b.New256(nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(h, r)
	if err != nil {
		t.Fatal(err)
	}
	return artifact.Part{Size: uint64(n), Hash: hex.EncodeToString(h.Sum(nil))}
}

// Ways to make a slot image one that does not come up.

// brokenRoot changes a bit of the root file system's superblock.
func brokenRoot(image string) error {
	at, err := disk.RootOffset(image)
	if err != nil {
		return err
	}
	return disk.FlipBit(image, at+200)
}

// shortKernel cuts the kernel off.
func shortKernel(image string) error {
	return disk.ChangeSlotFile(image, "vmlinuz", func(b []byte) []byte { return b[:len(b)/2] })
}

// garbageInitrd has other bytes for an initrd, with the right sum.
func garbageInitrd(image string) error {
	return changeSummed(image, "initrd", func(b []byte) []byte { return bytes.Repeat([]byte{0xa5, 0x5a, 0x13}, len(b)/3) })
}

// changeSummed changes a file of a slot and its sum.
func changeSummed(image, name string, change func([]byte) []byte) error {
	before, after := "", ""
	err := disk.ChangeSlotFile(image, name, func(b []byte) []byte {
		before = fmt.Sprintf("%x", sha256.Sum256(b))
		b = change(b)
		after = fmt.Sprintf("%x", sha256.Sum256(b))
		return b
	})
	if err != nil {
		return err
	}
	return disk.ChangeSlotFile(image, slot.SumsName, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(before), []byte(after)) })
}

// fault has command faulty do something that is wrong.
func fault(what string) func(image string) error {
	return func(image string) error {
		return changeSummed(image, "grub.cfg", func(b []byte) []byte {
			return []byte(strings.Replace(string(b), " $trial", fmt.Sprintf(" coracle.fault=%s $trial", what), 1))
		})
	}
}
