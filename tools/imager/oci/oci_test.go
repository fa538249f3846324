package oci_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/images/archive"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/coracle-os/coracle/tools/imager/definition"
	"github.com/coracle-os/coracle/tools/imager/disk/disktest"
	"github.com/coracle-os/coracle/tools/imager/oci"
)

var created = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func program(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(name, bytes.Repeat([]byte("program "), 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func testImage(t *testing.T) oci.Image {
	return oci.Image{
		Name: "coracle.local/test:1", Arch: "arm", Created: created, User: "1:1",
		Entrypoint: []string{"/bin/program"}, Env: []string{"A=b"},
		Files: []oci.File{
			{Path: "/etc/passwd", Mode: 0o644, Data: []byte("root")},
			{Path: "/bin/program", Mode: 0o755, Source: program(t)},
			{Path: "/bin/name", Symlink: "program"},
			{Path: "/tmp", Mode: 0o1777, Folder: true},
		},
	}
}

// containerd is what imports the images on a machine.
func TestContainerdImports(t *testing.T) {
	for name, zstd := range map[string]bool{"plain": false, "zstd": true} {
		t.Run(name, func(t *testing.T) {
			image := testImage(t)
			image.Zstd = zstd
			file := filepath.Join(t.TempDir(), "image.tar")
			want, err := oci.Write(file, image)
			if err != nil {
				t.Fatal(err)
			}
			store, manifest := containerdImport(t, file, image.Name)
			if manifest.Digest != want {
				t.Errorf("manifest %s, want %s", manifest.Digest, want)
			}
			arm, err := images.Manifest(t.Context(), store, manifest, platforms.Only(platforms.MustParse("linux/arm/v7")))
			if err != nil {
				t.Fatal(err)
			}
			blob, err := content.ReadBlob(t.Context(), store, arm.Config)
			if err != nil {
				t.Fatal(err)
			}
			var config ocispec.Image
			if err := json.Unmarshal(blob, &config); err != nil {
				t.Fatal(err)
			}
			if c := config.Config; c.User != "1:1" || !slices.Equal(c.Entrypoint, image.Entrypoint) || !slices.Equal(c.Env, image.Env) {
				t.Errorf("config %+v", c)
			}
			layer, err := content.ReadBlob(t.Context(), store, arm.Layers[0])
			if err != nil {
				t.Fatal(err)
			}
			plain, err := compression.DecompressStream(bytes.NewReader(layer))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(plain)
			if err != nil {
				t.Fatal(err)
			}
			if got := digest.FromBytes(text); got != config.RootFS.DiffIDs[0] {
				t.Errorf("layer unpacks to %s, the config says %s", got, config.RootFS.DiffIDs[0])
			}
			entries := listing(t, text)
			wantEntries := []string{
				"bin/ 5 755", "bin/name 2 777 program", "bin/program 0 755", "etc/ 5 755", "etc/passwd 0 644", "tmp/ 5 1777",
			}
			if !slices.Equal(entries, wantEntries) {
				t.Errorf("layer has %q, want %q", entries, wantEntries)
			}
		})
	}
}

func containerdImport(t *testing.T, file, name string) (content.Store, ocispec.Descriptor) {
	t.Helper()
	store, err := local.NewStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	target, err := archive.ImportIndex(t.Context(), store, f)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := content.ReadBlob(t.Context(), store, target)
	if err != nil {
		t.Fatal(err)
	}
	var index ocispec.Index
	if err := json.Unmarshal(blob, &index); err != nil {
		t.Fatal(err)
	}
	for _, m := range index.Manifests {
		if m.Annotations[images.AnnotationImageName] == name {
			return store, m
		}
	}
	t.Fatalf("no image %s in %s", name, blob)
	return nil, ocispec.Descriptor{}
}

// listing is name, type, octal mode and target of each entry of a tar.
func listing(t *testing.T, text []byte) (entries []string) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(text))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(created) || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s depends on who built it: %+v", h.Name, h)
		}
		entry := strings.TrimSpace(strings.Join([]string{h.Name, string(h.Typeflag), octal(h.Mode), h.Linkname}, " "))
		entries = append(entries, entry)
	}
}

func octal(mode int64) string {
	text, _ := definition.Mode(mode).MarshalText()
	return strings.TrimPrefix(string(text), "0")
}

func TestWriteRepeats(t *testing.T) {
	image := testImage(t)
	dir := t.TempDir()
	var digests [2]digest.Digest
	var archives [2][]byte
	for i := range digests {
		var err error
		file := filepath.Join(dir, "image.tar")
		if digests[i], err = oci.Write(file, image); err != nil {
			t.Fatal(err)
		}
		archives[i], _ = os.ReadFile(file)
		slices.Reverse(image.Files) // their order does not matter
	}
	if digests[0] != digests[1] || !bytes.Equal(archives[0], archives[1]) {
		t.Error("two builds differ")
	}
	if first, err := tar.NewReader(bytes.NewReader(archives[0])).Next(); err != nil || first.Name != "index.json" {
		t.Errorf("the archive starts with %v, %v; readers want index.json", first, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	for want, change := range map[string]func(*oci.Image){
		"no tag":       func(i *oci.Image) { i.Name = "coracle.local/test" },
		"absolute":     func(i *oci.Image) { i.Files[0].Path = "etc/passwd" },
		"twice":        func(i *oci.Image) { i.Files[1].Path = i.Files[0].Path },
		"no folder":    func(i *oci.Image) { i.Files[0].Path = "/bin/program/below" },
		"no such file": func(i *oci.Image) { i.Files[1].Source = "/does/not/exist" },
	} {
		image := testImage(t)
		change(&image)
		if _, err := oci.Write(filepath.Join(t.TempDir(), "x"), image); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestDefinitions(t *testing.T) {
	files, err := filepath.Glob("../../../images/containers/*.yml")
	if err != nil || len(files) < 3 {
		t.Fatalf("definitions: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			d, err := oci.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			if want := "coracle.local/" + strings.TrimSuffix(filepath.Base(file), ".yml") + ":"; !strings.HasPrefix(d.Name, want) {
				t.Errorf("name %s, want %s…", d.Name, want)
			}
			for _, p := range d.Go {
				if _, err := os.Stat(filepath.Join("../../..", p.Package)); err != nil {
					t.Errorf("package of %s: %v", p.Path, err)
				}
			}
			stub := program(t)
			image, err := d.Image(t.Context(), "amd64", created, oci.Sources{
				Program: func(context.Context, definition.Program) (string, error) { return stub, nil },
				Debian:  func(string) (string, error) { return "/", nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range image.Files {
				image.Files[i].Source = ""
			}
			if _, err := oci.Write(filepath.Join(t.TempDir(), "image.tar"), image); err != nil {
				t.Error(err)
			}
		})
	}
}

// The links of the busybox image are the applets that Debian's has.
func TestBusyboxHasItsApplets(t *testing.T) {
	var root string
	for _, p := range disktest.Packages(t, "busybox-static") {
		if p.Name == "busybox-static" {
			root = p.Root
		}
	}
	d, err := oci.Load("../../../images/containers/busybox.yml")
	if err != nil {
		t.Fatal(err)
	}
	image, err := d.Image(t.Context(), "amd64", created, oci.Sources{
		Debian: func(pkg string) (string, error) {
			if pkg != "busybox-static" {
				return "", errors.New(pkg)
			}
			return root, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join(root, "usr/bin/busybox"))
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, f := range image.Files {
		if f.Symlink == "busybox" {
			links++
			if !bytes.Contains(program, []byte("\x00"+filepath.Base(f.Path)+"\x00")) {
				t.Errorf("busybox has no applet %s", f.Path)
			}
		}
	}
	if links < 200 {
		t.Errorf("%d links only", links)
	}
}

func TestParseRefuses(t *testing.T) {
	for want, text := range map[string]string{
		"x.yml:1":           "nam: coracle.local/a:1\n",
		"full name":         "name: pause\n",
		"go[0].path":        "name: a.b/c:1\ngo: [{path: pause, package: ./x}]\n",
		"go[0].package":     "name: a.b/c:1\ngo: [{path: /pause}]\n",
		"one of debian":     "name: a.b/c:1\nfiles: [{path: /x, debian: 'a:/b', folder: true}]\n",
		"PACKAGE:/PATH":     "name: a.b/c:1\nfiles: [{path: /x, debian: busybox}]\n",
		"links[0].folder":   "name: a.b/c:1\nlinks: [{folder: bin, target: x}]\n",
		"links[0].target":   "name: a.b/c:1\nlinks: [{folder: /bin}]\n",
		"files[0].mode":     "name: a.b/c:1\nfiles: [{path: /x, mode: rwx, folder: true}]\n",
		"files[0].path: \"": "name: a.b/c:1\nfiles: [{path: /x/../y, folder: true}]\n",
	} {
		if _, err := oci.Parse("x.yml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("name: a.b/c:1\nfiles: [{path: /x, folder: true}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := oci.Parse("x.yml", data); err == nil && d.Name == "" {
			t.Error("accepted an image without a name")
		}
	})
}
