package rootfs

import (
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/tools/imager/definition"
)

const hostArch = runtime.GOARCH

func newTree(t *testing.T) *Tree {
	t.Helper()
	tree, err := NewTree(t.TempDir() + "/root")
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestTree(t *testing.T) {
	tree := newTree(t)
	for _, err := range []error{
		tree.Folder("/tmp", 0o1777),
		tree.Write("/etc/deep/file", []byte("a"), 0o640),
		tree.Symlink("/usr/bin/kubectl", "kube"),
		tree.Copy("/usr/bin/kube", tree.Host("/etc/deep/file"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]fs.FileMode{
		"/tmp": fs.ModeDir | fs.ModeSticky | 0o777, "/etc/deep": fs.ModeDir | 0o755, "/etc/deep/file": 0o640, "/bin/kube": 0o755,
	} {
		if info, err := os.Stat(tree.Host(name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	if err := tree.Write("/usr/bin/kube", nil, 0o644); err == nil || !strings.Contains(err.Error(), "/usr/bin/kube") {
		t.Errorf("a second file at one path: %v", err)
	}
	if err := tree.Write("/etc/deep/file/x", nil, 0o644); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("a file below a file: %v", err)
	}
}

func TestOverlay(t *testing.T) {
	tree, over := newTree(t), t.TempDir()
	for _, err := range []error{
		tree.Write("/usr/bin/kube", []byte("real"), 0o755),
		tree.Symlink("/usr/bin/ctr", "kube"),
		os.MkdirAll(over+"/usr/bin", 0o755),
		os.MkdirAll(over+"/etc/new", 0o755),
		os.WriteFile(over+"/usr/bin/kube", []byte("fails"), 0o755),
		os.WriteFile(over+"/usr/bin/ctr", []byte("fails too"), 0o755),
		os.WriteFile(over+"/etc/new/file", []byte("x"), 0o640),
		tree.Overlay(over, "/overlaid"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"/usr/bin/kube": "fails", "/overlaid/usr/bin/kube": "real", "/usr/bin/ctr": "fails too", "/etc/new/file": "x",
	} {
		if content, err := os.ReadFile(tree.Host(name)); err != nil || string(content) != want {
			t.Errorf("%s is %q, %v; want %q", name, content, err, want)
		}
	}
	if info, err := os.Stat(tree.Host("/etc/new/file")); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if link, err := os.Readlink(tree.Host("/overlaid/usr/bin/ctr")); err != nil || link != "kube" {
		t.Errorf("what was a link is %q, %v", link, err)
	}
	if err := tree.Overlay(over+"/none", "/overlaid"); err == nil {
		t.Error("a folder that is not there: no error")
	}
}

func TestDigestSeesEveryChange(t *testing.T) {
	seen := map[string]string{}
	for name, change := range map[string]func(*Tree) error{
		"nothing":  func(*Tree) error { return nil },
		"content":  func(x *Tree) error { return x.Write("/etc/a", []byte("2"), 0o644) },
		"mode":     func(x *Tree) error { return x.Write("/etc/a", []byte("1"), 0o600) },
		"as is":    func(x *Tree) error { return x.Write("/etc/a", []byte("1"), 0o644) },
		"name":     func(x *Tree) error { return x.Write("/etc/b", []byte("1"), 0o644) },
		"symlink":  func(x *Tree) error { return x.Symlink("/etc/a", "1") },
		"symlink2": func(x *Tree) error { return x.Symlink("/etc/a", "2") },
		"folder":   func(x *Tree) error { return x.Folder("/etc/a", 0o755) },
	} {
		tree := newTree(t)
		if err := change(tree); err != nil {
			t.Fatal(err)
		}
		digest, err := tree.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[digest]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[digest] = name
	}
}

func TestCheckFindsWhatCannotRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	tree := newTree(t)
	if err := tree.Copy("/usr/bin/self", self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := tree.Copy("/usr/share/coracle/boot/start.elf", self, 0o644); err != nil {
		t.Fatal(err)
	}
	for arch := range machines {
		err := tree.Check(arch, "x-linux-gnu")
		if err != nil && strings.Contains(err.Error(), "start.elf") {
			t.Errorf("data is taken for a program: %v", err)
		}
		if arch == hostArch && err != nil {
			t.Errorf("a static program of this host is refused: %v", err)
		}
		if arch != hostArch && (err == nil || !strings.Contains(err.Error(), "/usr/bin/self")) {
			t.Errorf("a program of another architecture: %v", err)
		}
	}
}

func TestPackArguments(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	squashfs := squashfsArgs("dir", "out", definition.Root{Compression: "zstd", Level: 19, Block: 131072}, at)
	for _, want := range []string{"-all-root", "1700000000", "131072", "19"} {
		if !slices.Contains(squashfs, want) {
			t.Errorf("%s is not in %q", want, squashfs)
		}
	}
	erofs := erofsArgs("dir", "out", definition.Root{Compression: "lz4hc", Level: 12, Block: 65536}, "digest", at)
	for _, want := range []string{"--all-root", "1700000000", "65536", "lz4hc,level=12"} {
		if !slices.Contains(erofs, want) {
			t.Errorf("%s is not in %q", want, erofs)
		}
	}
}
