package artifact

import (
	"archive/tar"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/coracle-os/coracle/machined/keys"
)

func partOf(b []byte) Part {
	sum := blake2b.Sum256(b)
	return Part{Size: uint64(len(b)), Hash: hex.EncodeToString(sum[:])}
}

// file is an artifact with the packed image in it, and its manifest.
func file(t testing.TB, packed []byte) (whole, manifest []byte) {
	t.Helper()
	m := good()
	m.Packed = partOf(packed)
	manifest, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Write(&b, manifest, Sign(manifest, signer(1)), bytes.NewReader(packed), int64(len(packed)), m.Time()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), manifest
}

// take reads an artifact as a machine does that checks the packed image.
func take(r io.Reader) (manifest []byte, image []byte, err error) {
	a, err := Read(r)
	if err != nil {
		return nil, nil, err
	}
	if _, err := Verify(a.RawManifest, a.Signatures, []keys.PublicKey{keys.Public(signer(1))}); err != nil {
		return nil, nil, err
	}
	if image, err = io.ReadAll(a.Image); err != nil {
		return nil, nil, err
	}
	if partOf(image) != a.Manifest.Packed {
		return nil, nil, errors.New("another image")
	}
	return a.RawManifest, image, a.End()
}

func TestWriteIsAPlainTar(t *testing.T) {
	packed := bytes.Repeat([]byte("image "), 1000)
	whole, manifest := file(t, packed)
	a, err := Read(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	if got := whole[a.ImageOffset:][:len(packed)]; !bytes.Equal(got, packed) {
		t.Errorf("the image is not at offset %d", a.ImageOffset)
	}
	if a.Digest() != Digest(manifest) {
		t.Errorf("digest %s is not the manifest's", a.Digest())
	}
	names := []string{}
	for r := tar.NewReader(bytes.NewReader(whole)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Mode != 0o644 || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || !h.ModTime.Equal(good().Time()) || h.Format&tar.FormatUSTAR == 0 {
			t.Errorf("%s: mode %o, owner %d:%d %q, date %v, format %v", h.Name, h.Mode, h.Uid, h.Gid, h.Uname, h.ModTime, h.Format)
		}
	}
	if want := []string{"manifest.json", "manifest.json.sig", "slot.img.zst"}; !slices.Equal(names, want) {
		t.Errorf("members %q, want %q", names, want)
	}
}

// What is cut off anywhere is refused; so is what has one bit changed, unless nothing that counts differs.
func TestDamageIsFound(t *testing.T) {
	packed := []byte("an image")
	whole, manifest := file(t, packed)
	if _, _, err := take(bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	const end = 2 * 512 // the blocks at the end of a tar, of zeros
	for size := range len(whole) - end - 511 {
		if _, _, err := take(bytes.NewReader(whole[:size])); err == nil {
			t.Fatalf("cut off after %d of %d bytes: no error", size, len(whole))
		}
	}
	for i := range whole {
		changed := bytes.Clone(whole)
		changed[i] ^= 1 << (i % 8)
		m, image, err := take(bytes.NewReader(changed))
		if err == nil && (!bytes.Equal(m, manifest) || !bytes.Equal(image, packed)) {
			t.Fatalf("a bit of byte %d changed: another artifact is taken", i)
		}
	}
}

// members makes a tar of names and contents.
func members(t testing.TB, list ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range list {
		h := tar.Header{Typeflag: tar.TypeReg, Name: m[0], Size: int64(len(m[1])), Mode: 0o644}
		if strings.HasPrefix(m[1], "->") {
			h = tar.Header{Typeflag: tar.TypeSymlink, Name: m[0], Linkname: m[1][2:]}
		}
		if strings.HasPrefix(m[1], "pax") {
			h.PAXRecords = map[string]string{"CORACLE.x": "y"}
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			io.WriteString(w, m[1])
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadRefuses(t *testing.T) {
	text, _ := good().Marshal()
	manifest := [2]string{ManifestName, string(text)}
	signature, image := [2]string{SignatureName, ""}, [2]string{ImageName, "zstd"}
	for name, tc := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":               {nil, "ends before manifest.json"},
		"no tar":                {bytes.Repeat([]byte("hello, world"), 100), "not a tar"},
		"an empty tar":          {members(t), "ends before manifest.json"},
		"another tar":           {members(t, [2]string{"etc/passwd", "x"}), `"etc/passwd" is where manifest.json must be`},
		"another order":         {members(t, manifest, image, signature), `"slot.img.zst" is where manifest.json.sig must be`},
		"no image":              {members(t, manifest, signature), "ends before slot.img.zst"},
		"a link":                {members(t, [2]string{ManifestName, "->/etc/passwd"}), "must be"},
		"pax":                   {members(t, [2]string{ManifestName, "pax"}), "ustar"},
		"a large manifest":      {members(t, [2]string{ManifestName, strings.Repeat("x", MaxManifest+1)}), "at most"},
		"large signatures":      {members(t, manifest, [2]string{SignatureName, strings.Repeat("x", MaxManifest+1)}), "at most"},
		"a manifest of nothing": {members(t, [2]string{ManifestName, "{}"}, signature, image), "format 0"},
		"another size":          {members(t, manifest, signature, [2]string{ImageName, "zst"}), "3 bytes, the manifest says 4"},
	} {
		if _, err := Read(bytes.NewReader(tc.file)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tc.want)
		}
	}
}

func TestEnd(t *testing.T) {
	text, _ := good().Marshal()
	list := [][2]string{{ManifestName, string(text)}, {SignatureName, ""}, {ImageName, "zstd"}}
	whole := members(t, list...)
	for name, tc := range map[string]struct {
		file []byte
		want string // in the error; empty: none
	}{
		"its end":             {whole, ""},
		"filled as tar does":  {append(bytes.Clone(whole), make([]byte, 10240)...), ""},
		"a member more":       {members(t, append(list, [2]string{"more", "x"})...), `"more" comes after the image`},
		"something behind":    {append(bytes.Clone(whole), "hello"...), "after its end"},
		"a second artifact":   {append(bytes.Clone(whole), whole...), "after its end"},
		"zeros without end":   {append(bytes.Clone(whole), make([]byte, 1<<20)...), "after its end"},
		"no end, but whole":   {whole[:len(whole)-1024], ""},
		"damage at the end":   {append(whole[:len(whole)-1024:len(whole)-1024], bytes.Repeat([]byte{1}, 512)...), "its end"},
		"an image not wanted": {whole, ""},
	} {
		a, err := Read(bytes.NewReader(tc.file))
		if err != nil {
			t.Fatal(err)
		}
		if name != "an image not wanted" {
			if _, err := io.Copy(io.Discard, a.Image); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.End(); (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	large := make([]byte, MaxManifest+1)
	for name, tc := range map[string]struct {
		manifest, signatures []byte
		image                string
		size                 int64
	}{
		"a large manifest":  {large, nil, "zstd", 4},
		"large signatures":  {nil, large, "zstd", 4},
		"an image too long": {nil, nil, "zstd+", 4},
		"one too short":     {nil, nil, "zst", 4},
	} {
		if err := Write(io.Discard, tc.manifest, tc.signatures, strings.NewReader(tc.image), tc.size, time.Unix(0, 0)); err == nil || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	whole, _ := file(f, []byte("zstd"))
	f.Add(whole)
	f.Add(whole[:700])
	f.Add(members(f, [2]string{ManifestName, "pax"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		image, err := io.ReadAll(a.Image)
		if err != nil {
			return
		}
		if uint64(len(image)) != a.Manifest.Packed.Size || !bytes.Equal(image, b[a.ImageOffset:][:len(image)]) {
			t.Errorf("the image is not the %d bytes at %d", a.Manifest.Packed.Size, a.ImageOffset)
		}
		a.End()
	})
}
