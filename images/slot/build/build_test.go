package build_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/build"
	"github.com/coracle-os/coracle/tools/imager/disk/disktest"
)

// random writes size bytes that are the same in every run.
func random(t *testing.T, dir, name string, size int) string {
	t.Helper()
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{1: byte(len(name))}).Read(b)
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// verifyRoot checks a root against its tree from the root hash down, as the kernel does when it reads each block
// (Documentation/admin-guide/device-mapper/verity.rst). It shares no code with what made the tree.
func verifyRoot(root, tree []byte, algorithm, rootHash string) error {
	const block = 4096
	le := binary.LittleEndian
	if string(tree[:8]) != "verity\x00\x00" || le.Uint32(tree[8:]) != 1 || le.Uint32(tree[12:]) != 1 {
		return fmt.Errorf("superblock % x", tree[:16])
	}
	if got := strings.TrimRight(string(tree[32:64]), "\x00"); got != algorithm {
		return fmt.Errorf("algorithm %q, want %q", got, algorithm)
	}
	if le.Uint32(tree[64:]) != block || le.Uint32(tree[68:]) != block || le.Uint64(tree[72:]) != uint64(len(root)/block) {
		return fmt.Errorf("sizes % x", tree[64:80])
	}
	salt := tree[88 : 88+le.Uint16(tree[80:])]
	sum := func(b []byte) string {
		h := blake2b.Sum256(append(bytes.Clone(salt), b...))
		if algorithm == "sha256" {
			h = sha256.Sum256(append(bytes.Clone(salt), b...))
		}
		return string(h[:])
	}
	// Level sizes from the leaves up; on disk the top comes first.
	var levels []int
	for n := len(root) / block; n > 1; {
		n = (n + 127) / 128
		levels = append(levels, n)
	}
	want, at := []string{}, block
	if h, err := hex.DecodeString(rootHash); err == nil {
		want = append(want, string(h))
	}
	check := func(b []byte, what string) error {
		for i, w := range want {
			if sum(b[i*block:(i+1)*block]) != w {
				return fmt.Errorf("%s block %d does not match", what, i)
			}
		}
		return nil
	}
	for i := len(levels) - 1; i >= 0; i-- {
		level := tree[at : at+levels[i]*block]
		if err := check(level, fmt.Sprint("level ", i)); err != nil {
			return err
		}
		at += len(level)
		want = want[:0]
		below := len(root) / block
		if i > 0 {
			below = levels[i-1]
		}
		for k := range below {
			want = append(want, string(level[k*32:(k+1)*32]))
		}
	}
	if at != len(tree) {
		return fmt.Errorf("tree has %d bytes, want %d", len(tree), at)
	}
	return check(root, "data")
}

func TestVerity(t *testing.T) {
	// 128 blocks have one level, 129 two, 128² + 1 three.
	for _, blocks := range []int{2, 128, 129, 128*128 + 1} {
		for _, algorithm := range slot.HashAlgorithms {
			t.Run(fmt.Sprint(algorithm, " ", blocks), func(t *testing.T) {
				dir := t.TempDir()
				root := random(t, dir, "root", blocks*build.BlockSize)
				tree, err := build.Verity(t.Context(), root, filepath.Join(dir, "tree"), algorithm)
				if err != nil {
					t.Fatal(err)
				}
				data, hashes := read(t, root), read(t, tree.Path)
				if err := verifyRoot(data, hashes, algorithm, tree.RootHash); err != nil {
					t.Fatal(err)
				}
				again, err := build.Verity(t.Context(), root, filepath.Join(dir, "again"), algorithm)
				if err != nil {
					t.Fatal(err)
				}
				if again.RootHash != tree.RootHash || !bytes.Equal(read(t, again.Path), hashes) {
					t.Error("two builds differ")
				}
				data[len(data)-1] ^= 1
				if verifyRoot(data, hashes, algorithm, tree.RootHash) == nil {
					t.Error("a flipped bit was not found")
				}
			})
		}
	}
}

// Debian's veritysetup knows no BLAKE2b, so it judges a tree of SHA-256.
func TestVerityIsVeritysetups(t *testing.T) {
	tools := disktest.Tools(t, "cryptsetup-bin")
	dir := t.TempDir()
	root := random(t, dir, "root", 300*build.BlockSize)
	tree, err := build.Verity(t.Context(), root, filepath.Join(dir, "tree"), "sha256")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := tools.Command(t.Context(), "veritysetup", "verify", root, tree.Path, tree.RootHash).CombinedOutput(); err != nil {
		t.Errorf("veritysetup verify: %v: %s", err, out)
	}
}

func TestVerityRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		size            int
		algorithm, want string
	}{
		"part of a block":      {5000, "sha256", "multiple of 4096"},
		"an unknown algorithm": {build.BlockSize, "sha1", `"sha1" is not one of blake2b-256, sha256`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := build.Verity(t.Context(), random(t, dir, "root", tc.size), filepath.Join(dir, "tree"), tc.algorithm); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestAssemble(t *testing.T) {
	tools := disktest.Tools(t)
	dir := t.TempDir()
	root := random(t, dir, "root", 777*build.BlockSize)
	kernel := random(t, dir, "kernel", 1_234_567)
	initrd := random(t, dir, "initramfs", 900_000)
	tree, err := build.Verity(t.Context(), root, filepath.Join(dir, "tree"), "blake2b-256")
	if err != nil {
		t.Fatal(err)
	}
	layout, err := build.Plan("1.2.3", "amd64", kernel, 1<<20, tree)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(layout)
	if _, err := slot.ParseLayout(text); err != nil {
		t.Fatalf("the layout is not one that the initrd accepts: %v", err)
	}
	parts := build.Parts{
		Layout: layout, Tree: tree, Kernel: kernel, KernelRelease: "6.12", Initrd: initrd, Grub: []byte("boot\n"),
		Root: root, Time: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
	}
	out := filepath.Join(dir, "slot.img")
	manifest, err := build.Assemble(t.Context(), tools, out, parts)
	if err != nil {
		t.Fatal(err)
	}
	image := read(t, out)
	if uint64(len(image)) != manifest.Size || manifest.Size%slot.Align != 0 {
		t.Errorf("image has %d bytes, manifest says %d", len(image), manifest.Size)
	}
	at := func(offset, size uint64) []byte { return image[offset : offset+size] }
	if err := verifyRoot(at(layout.RootOffset, layout.RootSize), at(layout.HashOffset, tree.Size), tree.Algorithm, layout.RootHash); err != nil {
		t.Errorf("root in the slot: %v", err)
	}
	for name, want := range map[string][]byte{"vmlinuz": read(t, kernel), "initrd": read(t, initrd), "grub.cfg": []byte("boot\n")} {
		got, err := tools.Command(t.Context(), "mtype", "-i", out, "::/"+name).Output()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s in the slot: %d bytes, %v; want %d bytes", name, len(got), err, len(want))
		}
	}
	got, err := tools.Command(t.Context(), "mtype", "-i", out, "::/manifest.json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var written slot.Manifest
	if err := json.Unmarshal(got, &written); err != nil || written != manifest {
		t.Errorf("manifest in the slot is %+v, %v; want %+v", written, err, manifest)
	}
	for name, d := range map[string]slot.Digest{"vmlinuz": written.Kernel, "initrd": written.Initrd, "root": written.Root} {
		if d.Size == 0 || len(d.SHA256) != 64 {
			t.Errorf("manifest says %+v of %s", d, name)
		}
	}

	if _, err := build.Assemble(t.Context(), tools, filepath.Join(dir, "again.img"), parts); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(image, read(t, filepath.Join(dir, "again.img"))) {
		t.Error("two builds differ")
	}

	parts.Initrd = random(t, dir, "initramfs of many modules", 4<<20)
	if _, err := build.Assemble(t.Context(), tools, out, parts); err == nil || !strings.Contains(err.Error(), "larger than was planned") {
		t.Errorf("too large an initrd: error %v", err)
	}
}
