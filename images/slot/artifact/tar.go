package artifact

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// Artifact is one that is being read. Nothing of it is trusted before [Verify].
type Artifact struct {
	Manifest    Manifest
	RawManifest []byte    // as it was signed
	Signatures  []byte    // lines of [Sign]
	Image       io.Reader // the packed slot image, Packed.Size bytes; it has to be read before the artifact's reader is used again
	ImageOffset int64     // of the packed image in the file, bytes
	tar         *tar.Reader
	rest        io.Reader // what tar has not read yet
}

// Digest names the artifact.
func (a *Artifact) Digest() string { return Digest(a.RawManifest) }

// counter counts what was read.
type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// Read reads the manifest and the signatures from the start of an artifact. The image is left to be read.
func Read(r io.Reader) (*Artifact, error) {
	counted := &counter{Reader: r}
	a := &Artifact{tar: tar.NewReader(counted), rest: r}
	var err error
	if a.RawManifest, err = a.small(ManifestName); err != nil {
		return nil, err
	}
	if a.Signatures, err = a.small(SignatureName); err != nil {
		return nil, err
	}
	if a.Manifest, err = ParseManifest(a.RawManifest); err != nil {
		return nil, err
	}
	size, err := a.next(ImageName)
	if err != nil {
		return nil, err
	}
	if uint64(size) != a.Manifest.Packed.Size {
		return nil, fmt.Errorf("artifact: %s has %d bytes, the manifest says %d: it was changed, or damaged on its way", ImageName, size, a.Manifest.Packed.Size)
	}
	a.Image, a.ImageOffset = a.tar, counted.n
	return a, nil
}

// next goes to the next member, which must be name, and returns its size.
func (a *Artifact) next(name string) (int64, error) {
	h, err := a.tar.Next()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return 0, fmt.Errorf("artifact: it ends before %s: it is not whole, or not an artifact", name)
	case err != nil:
		return 0, fmt.Errorf("artifact: it is not a tar: %w", err)
	case h.Name != name || h.Typeflag != tar.TypeReg:
		return 0, fmt.Errorf("artifact: %q is where %s must be: it is not an artifact of Coracle", h.Name, name)
	case len(h.PAXRecords) > 0: // they can say that a file is not as it lies there
		return 0, errors.New("artifact: it is a tar in pax format, should be ustar")
	}
	return h.Size, nil
}

func (a *Artifact) small(name string) ([]byte, error) {
	size, err := a.next(name)
	if err != nil {
		return nil, err
	}
	if size > MaxManifest {
		return nil, fmt.Errorf("artifact: %s has %d bytes, at most %d", name, size, MaxManifest)
	}
	b, err := io.ReadAll(a.tar)
	if err != nil {
		return nil, fmt.Errorf("artifact: read %s: %w", name, err)
	}
	return b, nil
}

// End checks that nothing but the end of the tar comes after the image. It is called when the image was read.
func (a *Artifact) End() error {
	h, err := a.tar.Next()
	switch {
	case errors.Is(err, io.EOF):
		return zeros(a.rest)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("artifact: it ends early: it is not whole")
	case err != nil:
		return fmt.Errorf("artifact: read its end: %w", err)
	}
	return fmt.Errorf("artifact: %q comes after the image", h.Name)
}

// zeros checks that tar's filling is all that comes. A connection that breaks here does no harm: everything was read.
func zeros(r io.Reader) error {
	const most = 64 << 10 // tar's -b 128
	b, _ := io.ReadAll(io.LimitReader(r, most+1))
	if len(b) > most || len(bytes.Trim(b, "\x00")) > 0 {
		return errors.New("artifact: something comes after its end: it is not as it was made")
	}
	return nil
}

// Write writes an artifact. image has size bytes.
func Write(w io.Writer, manifest, signatures []byte, image io.Reader, size int64, built time.Time) error {
	out := tar.NewWriter(w)
	header := func(name string, size int64) error {
		return out.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: built.UTC().Truncate(time.Second), Format: tar.FormatUSTAR,
		})
	}
	for _, member := range []struct {
		name    string
		content []byte
	}{{ManifestName, manifest}, {SignatureName, signatures}} {
		if len(member.content) > MaxManifest {
			return fmt.Errorf("write artifact: %s has %d bytes, at most %d", member.name, len(member.content), MaxManifest)
		}
		if err := header(member.name, int64(len(member.content))); err != nil {
			return fmt.Errorf("write artifact: %w", err)
		}
		if _, err := out.Write(member.content); err != nil {
			return fmt.Errorf("write artifact: %w", err)
		}
	}
	if err := header(ImageName, size); err != nil {
		return fmt.Errorf("write artifact: %w", err)
	}
	if n, err := io.Copy(out, image); err != nil {
		return fmt.Errorf("write artifact: after %d of %d bytes of the image: %w", n, size, err)
	}
	if err := out.Close(); err != nil { // also when the image is shorter
		return fmt.Errorf("write artifact: %w", err)
	}
	return nil
}
