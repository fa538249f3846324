package images

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/klauspost/compress/zstd"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// annotationImageName is what containerd and docker save put into index.json; ref.name of the OCI specification may
// be a full name or only a tag.
const annotationImageName = "io.containerd.image.name"

// maxIndexBytes bounds index.json. Real ones have a few hundred bytes.
const maxIndexBytes = 1 << 20

// suffixes of the files that are read as image archives.
var suffixes = []string{".tar", ".tar.gz", ".tgz", ".tar.zst"}

func isArchive(name string) bool {
	for _, s := range suffixes {
		if strings.HasSuffix(name, s) && !strings.HasPrefix(name, ".") {
			return true
		}
	}
	return false
}

// archive is an OCI image layout in a tar file.
type archive struct {
	path   string
	size   int64 // bytes
	images []image
}

// image is one that an archive has: its full name, and the manifest or index that it stands for.
type image struct {
	name   string
	target ocispec.Descriptor
}

// open returns the tar stream of an archive. An uncompressed one can seek, which lets archive/tar skip the layers.
func open(file string) (io.ReadCloser, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(file, ".zst"):
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			f.Close()
			return nil, err
		}
		return stream{z, func() error { z.Close(); return f.Close() }}, nil
	case strings.HasSuffix(file, "gz"):
		z, err := gzip.NewReader(f)
		if err != nil {
			f.Close()
			return nil, err
		}
		return stream{z, f.Close}, nil
	default:
		return f, nil
	}
}

type stream struct {
	io.Reader
	close func() error
}

func (s stream) Close() error { return s.close() }

func readArchive(file string, platform platforms.Matcher) (archive, error) {
	r, err := open(file)
	if err != nil {
		return archive{}, err
	}
	defer r.Close()
	images, err := readIndex(r, platform)
	return archive{path: file, images: images}, err
}

// readIndex finds index.json in a tar and returns the images in it that are for this platform, or for any. It reads no
// further than index.json, so archives that have it first are the quickest.
func readIndex(r io.Reader, platform platforms.Matcher) ([]image, error) {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil, errors.New("no index.json in it: not an OCI image layout")
		}
		if err != nil {
			return nil, fmt.Errorf("damaged, or not a tar: %w", err)
		}
		if path.Clean(h.Name) != ocispec.ImageIndexFile || h.Typeflag != tar.TypeReg {
			continue
		}
		if h.Size > maxIndexBytes {
			return nil, fmt.Errorf("index.json has %d bytes, more than the %d that are read", h.Size, maxIndexBytes)
		}
		var index ocispec.Index
		if err := json.NewDecoder(t).Decode(&index); err != nil {
			return nil, fmt.Errorf("index.json: %w", err)
		}
		return imagesOf(index, platform)
	}
}

func imagesOf(index ocispec.Index, platform platforms.Matcher) ([]image, error) {
	var (
		images  []image
		seen    = make(map[string]bool)
		skipped []string
	)
	for _, m := range index.Manifests {
		name, err := imageName(m.Annotations)
		if err != nil {
			return nil, err
		}
		if name == "" || seen[name] {
			continue
		}
		if m.Platform != nil && !platform.Match(*m.Platform) {
			skipped = append(skipped, fmt.Sprintf("%s for %s", name, platforms.Format(*m.Platform)))
			continue
		}
		if err := m.Digest.Validate(); err != nil {
			return nil, fmt.Errorf("index.json: digest of %s: %w", name, err)
		}
		seen[name] = true
		images = append(images, image{name, m})
	}
	switch {
	case len(images) > 0:
		return images, nil
	case len(skipped) > 0:
		return nil, fmt.Errorf("index.json has no image for %s, only %s",
			platforms.Format(platforms.DefaultSpec()), strings.Join(skipped, ", "))
	default:
		return nil, fmt.Errorf("index.json names no image: its manifests need the annotation %s", annotationImageName)
	}
}

// imageName is the full name of an image, with its registry and tag; empty if it has none.
func imageName(annotations map[string]string) (string, error) {
	name := annotations[annotationImageName]
	if name == "" {
		name = annotations[ocispec.AnnotationRefName]
		if !strings.ContainsAny(name, "/:@") { // none, or only a tag
			return "", nil
		}
	}
	ref, err := reference.ParseDockerRef(name)
	if err != nil {
		return "", fmt.Errorf("index.json: image name %q: %w", name, err)
	}
	return ref.String(), nil
}
