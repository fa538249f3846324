package images

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ctdimages "github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

var (
	amd64   = platforms.OnlyStrict(platforms.MustParse("linux/amd64"))
	digestA = digest.FromString("a")
	digestB = digest.FromString("b")
)

type file struct{ name, content string }

func tarOf(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.content)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// entry is one manifest of an index.json.
func entry(d digest.Digest, more string) string {
	return `{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,"digest":"` + d.String() + `"` + more + `}`
}

func index(entries ...string) file {
	return file{"index.json", `{"schemaVersion":2,"manifests":[` + strings.Join(entries, ",") + `]}`}
}

func TestReadIndex(t *testing.T) {
	const (
		full     = `,"annotations":{"io.containerd.image.name":"coracle.local/pause:1","org.opencontainers.image.ref.name":"1"}`
		refName  = `,"annotations":{"org.opencontainers.image.ref.name":"coracle.local/pause:1"}`
		short    = `,"annotations":{"org.opencontainers.image.ref.name":"busybox:1.36"}`
		tagOnly  = `,"annotations":{"org.opencontainers.image.ref.name":"latest"}`
		badName  = `,"annotations":{"io.containerd.image.name":"Upper Case:1"}`
		forAMD64 = `,"platform":{"os":"linux","architecture":"amd64"}`
		forARM   = `,"platform":{"os":"linux","architecture":"arm","variant":"v7"}`
	)
	for _, tc := range []struct {
		name    string
		tar     []byte
		want    []image
		wantErr string
	}{
		{"name of containerd", tarOf(t, index(entry(digestA, full))), []image{{name: Pause}}, ""},
		{"full reference name", tarOf(t, index(entry(digestA, refName))), []image{{name: Pause}}, ""},
		{"short name", tarOf(t, index(entry(digestA, short))), []image{{name: "docker.io/library/busybox:1.36"}}, ""},
		{"path with a dot, after blobs", tarOf(t, file{"blobs/sha256/x", "layer"}, file{"./" + index().name, index(entry(digestA, full)).content}),
			[]image{{name: Pause}}, ""},
		{"the platform that fits", tarOf(t, index(entry(digestB, full+forARM), entry(digestA, full+forAMD64))), []image{{name: Pause}}, ""},
		{"other platform only", tarOf(t, index(entry(digestA, full+forARM))), nil, "coracle.local/pause:1 for linux/arm/v7"},
		{"only a tag", tarOf(t, index(entry(digestA, tagOnly))), nil, "names no image"},
		{"bad name", tarOf(t, index(entry(digestA, badName))), nil, `"Upper Case:1"`},
		{"bad digest", tarOf(t, index(entry("sha256:12", full))), nil, "digest of coracle.local/pause:1"},
		{"empty index", tarOf(t, index()), nil, "names no image"},
		{"broken JSON", tarOf(t, file{"index.json", "{"}), nil, "index.json: unexpected EOF"},
		{"huge index", tarOf(t, file{"index.json", strings.Repeat(" ", maxIndexBytes+1)}), nil, "1048577 bytes"},
		{"no index", tarOf(t, file{"manifest.json", "[]"}), nil, "not an OCI image layout"},
		{"cut off", tarOf(t, file{"blob", strings.Repeat("x", 4096)})[:2048], nil, "damaged"},
		{"not a tar", bytes.Repeat([]byte("no tar "), 512), nil, "damaged, or not a tar"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := readIndex(bytes.NewReader(tc.tar), amd64)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tc.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(tc.want) {
				t.Fatalf("got %v", got)
			}
			for i := range got {
				if got[i].name != tc.want[i].name || got[i].target.Digest != digestA {
					t.Errorf("got %s %s", got[i].name, got[i].target.Digest)
				}
			}
		})
	}
}

func TestScan(t *testing.T) {
	dir := t.TempDir()
	plain := tarOf(t, index(entry(digestA, `,"annotations":{"io.containerd.image.name":"example.org/b:1"}`)))
	pause := tarOf(t, index(entry(digestA, `,"annotations":{"io.containerd.image.name":"`+Pause+`"}`)))
	var gz, zst bytes.Buffer
	zw := gzip.NewWriter(&gz)
	zw.Write(pause)
	zw.Close()
	sw, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	sw.Write(plain)
	sw.Close()
	for name, content := range map[string][]byte{
		"a.tar": plain, "b.tar.zst": zst.Bytes(), "c.tar.gz": gz.Bytes(), "broken.tar": []byte("x"),
		"notes.txt": []byte("no image"), ".hidden.tar": []byte("half a copy"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	archives, err := scan(dir, amd64)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "broken.tar")) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("error %v should be about broken.tar only", err)
	}
	inOrder(archives)
	var order []string
	for _, a := range archives {
		order = append(order, filepath.Base(a.path))
	}
	if got, want := strings.Join(order, " "), "c.tar.gz b.tar.zst a.tar"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestGone(t *testing.T) {
	const root, medium = "/usr/share/coracle/images", "/run/coracle/media/images"
	record := func(name, from string, target digest.Digest, pin string) ctdimages.Image {
		return ctdimages.Image{Name: name, Target: ocispec.Descriptor{Digest: target},
			Labels: map[string]string{labelFrom: from, labelPinned: pin}}
	}
	records := []ctdimages.Image{
		record(Pause, root, digestA, "pinned"),
		record("sha256:pause", root, digestA, "pinned"),
		record("coracle.local/coredns:v1.14.0", root, digestB, "pinned"),
		record("sha256:coredns", root, digestB, "pinned"),
		record("coracle.local/older:1", root, digestB, ""),
		record("example.org/app:1", medium, digestB, "pinned"),
		record("example.org/pulled:1", "", digestB, "pinned"),
	}
	archives := []archive{{path: "pause.tar", images: []image{{Pause, ocispec.Descriptor{Digest: digestA}}}}}
	for _, tc := range []struct {
		name string
		dirs []string
		want string
	}{
		{"upgraded", []string{root}, "coracle.local/coredns:v1.14.0 sha256:coredns"},
		{"medium is there without it", []string{root, medium}, "coracle.local/coredns:v1.14.0 sha256:coredns example.org/app:1"},
		{"a broken archive in the folder", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var names []string
			for _, r := range gone(records, archives, tc.dirs) {
				names = append(names, r.Name)
			}
			if got := strings.Join(names, " "); got != tc.want {
				t.Errorf("gone: %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzReadIndex(f *testing.F) {
	f.Add(tarOf(f, index(entry(digestA, `,"annotations":{"io.containerd.image.name":"coracle.local/pause:1"}`))))
	f.Add(tarOf(f, index(entry(digestA, `,"annotations":{"org.opencontainers.image.ref.name":"a/b@sha256:00"},"platform":{}`))))
	f.Add([]byte("index.json"))
	f.Fuzz(func(t *testing.T, data []byte) {
		images, err := readIndex(bytes.NewReader(data), amd64)
		if err == nil && len(images) == 0 {
			t.Error("neither images nor an error")
		}
		for _, i := range images {
			if i.name == "" || i.target.Digest.Validate() != nil {
				t.Errorf("image %+v", i)
			}
		}
	})
}
