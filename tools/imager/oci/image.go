// Package oci writes container images as archives: an OCI image layout in a tar, that containerd imports without a
// registry. The same files give the same bytes.
package oci

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is a container image of one layer.
type Image struct {
	Name       string // full name with a tag, such as coracle.local/pause:1
	Arch       string // GOARCH; arm means version 7
	Entrypoint []string
	Command    []string // default arguments
	Env        []string // NAME=value
	User       string   // UID:GID; empty is root
	Created    time.Time
	Files      []File
	// Zstd compresses the layer. Without it, importing costs least; the root file system compresses it anyway.
	Zstd bool
}

// annotationImageName is containerd's own: the full name under which an import registers the image. What the OCI
// specification has for it may be a tag only.
const annotationImageName = "io.containerd.image.name"

// Write makes the archive in the file name and returns the digest of the image's manifest.
func Write(name string, i Image) (digest.Digest, error) {
	manifest, archive, err := i.archive()
	if err != nil {
		return "", fmt.Errorf("container image %s: %w", i.Name, err)
	}
	if err := os.WriteFile(name, archive, 0o644); err != nil {
		return "", err
	}
	return manifest, nil
}

// blob is a part of an image under its digest.
type blob struct {
	ocispec.Descriptor
	data []byte
}

func newBlob(mediaType string, data []byte) blob {
	return blob{ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}, data}
}

func jsonBlob(mediaType string, v any) (blob, error) {
	data, err := json.Marshal(v)
	return newBlob(mediaType, data), err
}

func (i Image) archive() (digest.Digest, []byte, error) {
	if base := path.Base(i.Name); !strings.Contains(base, ":") || !strings.Contains(i.Name, "/") {
		return "", nil, fmt.Errorf("the name has no registry or no tag")
	}
	plain, err := layer(i.Files, i.Created)
	if err != nil {
		return "", nil, err
	}
	layerBlob := newBlob(ocispec.MediaTypeImageLayer, plain)
	if i.Zstd {
		if layerBlob, err = compressed(plain); err != nil {
			return "", nil, err
		}
	}
	platform := ocispec.Platform{OS: "linux", Architecture: i.Arch}
	if i.Arch == "arm" {
		platform.Variant = "v7"
	}
	created := i.Created.UTC()
	config, err := jsonBlob(ocispec.MediaTypeImageConfig, ocispec.Image{
		Created: &created, Platform: platform,
		Config:  ocispec.ImageConfig{User: i.User, Env: i.Env, Entrypoint: i.Entrypoint, Cmd: i.Command},
		RootFS:  ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{digest.FromBytes(plain)}},
		History: []ocispec.History{{Created: &created, CreatedBy: "coracle"}},
	})
	if err != nil {
		return "", nil, err
	}
	manifest, err := jsonBlob(ocispec.MediaTypeImageManifest, ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: config.Descriptor, Layers: []ocispec.Descriptor{layerBlob.Descriptor},
	})
	if err != nil {
		return "", nil, err
	}
	target := manifest.Descriptor
	target.Platform = &platform
	target.Annotations = map[string]string{annotationImageName: i.Name, ocispec.AnnotationRefName: i.Name}
	index, err := json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{target},
	})
	if err != nil {
		return "", nil, err
	}
	archive, err := layout(index, created, manifest, config, layerBlob)
	return manifest.Digest, archive, err
}

// layout puts the index first: who only wants to know the images' names reads no further.
func layout(index []byte, created time.Time, blobs ...blob) ([]byte, error) {
	marker, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name string, data []byte) {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o444, ModTime: created, Format: tar.FormatPAX}
		if err == nil {
			err = w.WriteHeader(header)
		}
		if err == nil {
			_, err = w.Write(data)
		}
	}
	add(ocispec.ImageIndexFile, index)
	add(ocispec.ImageLayoutFile, marker)
	for _, b := range blobs {
		add(path.Join(ocispec.ImageBlobsDir, b.Digest.Algorithm().String(), b.Digest.Encoded()), b.data)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

func compressed(data []byte) (blob, error) {
	var out bytes.Buffer
	// One goroutine: how several would cut the input is not promised to stay the same.
	z, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return blob{}, err
	}
	if _, err := io.Copy(z, bytes.NewReader(data)); err != nil {
		return blob{}, err
	}
	if err := z.Close(); err != nil {
		return blob{}, err
	}
	return newBlob(ocispec.MediaTypeImageLayerZstd, out.Bytes()), nil
}
