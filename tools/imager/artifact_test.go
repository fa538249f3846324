package main

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/images/slot/chunks"
	"github.com/coracle-os/coracle/tools/imager/definition"
	"github.com/coracle-os/coracle/tools/imager/gobuild"
	"github.com/coracle-os/coracle/tools/imager/rootfs"
)

// assembled is a builder that has come as far as a slot image, which is the same in every run.
func assembled(t *testing.T, cache string, o options) *builder {
	t.Helper()
	amd64, err := arch.Named("amd64")
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{
		file: "a.yml", definition: &definition.Definition{MinimumVersion: "1.0.0"}, arch: amd64, out: t.TempDir(), work: t.TempDir(), cache: cache, options: o,
		source: gobuild.Source{Version: "1.2.3", Time: time.Unix(1_790_000_000, 0).UTC(), Kubernetes: "v1.37.2"},
	}
	b.kernel.Release, b.tree.RootHash = "6.12.1", strings.Repeat("ab", 32)
	image := make([]byte, 3<<20) // a third of it noise
	rand.NewChaCha8([32]byte{}).Read(image[1<<20 : 2<<20])
	if err := os.WriteFile(b.inWork("slot.img"), image, 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestArtifactIsWhatTheImageTrusts(t *testing.T) {
	b := assembled(t, t.TempDir(), options{})
	if _, err := b.writeArtifact(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.root, err = rootfs.NewTree(b.inWork("root")); err != nil {
		t.Fatal(err)
	}
	if err := b.layTrust(t.Context()); err != nil {
		t.Fatal(err)
	}
	trusted, err := artifact.ReadKeys(b.root.Host(artifact.TrustPath))
	if err != nil {
		t.Fatal(err)
	}

	file := read(t, filepath.Join(b.out, "coracle-1.2.3-amd64.slot"))
	a, err := artifact.Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := artifact.Verify(a.RawManifest, a.Signatures, trusted); err != nil {
		t.Error(err)
	}
	packed, err := io.ReadAll(a.Image)
	if err != nil {
		t.Fatal(err)
	}
	m := a.Manifest
	if got := partOf(packed); got != m.Packed {
		t.Errorf("the packed image is %+v, the manifest says %+v", got, m.Packed)
	}
	if m.Version != "1.2.3" || m.Arch != "amd64" || m.Kubernetes != "v1.37.2" || m.Kernel != "6.12.1" || m.MinimumVersion != "1.0.0" || !m.Time().Equal(b.source.Time) {
		t.Errorf("manifest %+v", m)
	}

	// The index says where each chunk of the image is, packed by itself.
	text := read(t, filepath.Join(b.out, "coracle-1.2.3-amd64.slot.index"))
	if got := partOf(text); got != m.Index {
		t.Errorf("the index is %+v, the manifest says %+v", got, m.Index)
	}
	index, err := chunks.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var image []byte
	for at := a.ImageOffset; len(index) > 0; index = index[1:] {
		c := index[0]
		chunk, err := z.DecodeAll(file[at:at+int64(c.Packed)], nil)
		if err != nil || chunks.Sum(chunk) != c.Hash || len(chunk) != int(c.Size) {
			t.Fatalf("the frame at %d is not the chunk of %d bytes (%v)", at, c.Size, err)
		}
		image, at = append(image, chunk...), at+int64(c.Packed)
	}
	if !bytes.Equal(image, read(t, b.inWork("slot.img"))) || partOf(image) != m.Image {
		t.Error("the chunks are not the slot image")
	}

	again := assembled(t, b.cache, options{})
	if _, err := again.writeArtifact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, read(t, again.artifactFile())) || !bytes.Equal(text, read(t, again.artifactFile()+".index")) {
		t.Error("two builds of the same image differ")
	}
}

func TestArtifactUnsigned(t *testing.T) {
	b := assembled(t, t.TempDir(), options{unsigned: true})
	result, err := b.writeArtifact(t.Context())
	if err != nil || !strings.Contains(result, "not signed") {
		t.Errorf("result %q, %v", result, err)
	}
	a, err := artifact.Read(bytes.NewReader(read(t, b.artifactFile())))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := artifact.Verify(a.RawManifest, a.Signatures, nil); !errors.Is(err, artifact.ErrUnsigned) {
		t.Errorf("error %v", err)
	}
}

// The last bytes of a slot's partition are its record's.
func TestFitsPartition(t *testing.T) {
	const partition = 4 << 20
	if err := fitsPartition(partition-slot.RecordSize, partition); err != nil {
		t.Error(err)
	}
	if err := fitsPartition(partition-slot.RecordSize+1, partition); err == nil || !strings.Contains(err.Error(), "disk.slot of 4MiB") {
		t.Errorf("error %v", err)
	}
}
