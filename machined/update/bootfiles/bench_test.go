package bootfiles

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	index "github.com/coracle-os/coracle/images/bootfiles"
)

// bench is a machine: its root, its BOOT, and its DATA.
type bench struct {
	*testing.T
	root fstest.MapFS
	boot string
	data string
	free uint64          // bytes on BOOT
	fail map[int]failure // by the number of the call that changes BOOT; the first is 0
	// forgets is a file that the disk loses when it is synced.
	forgets string
	cut     bool // after the first failure the power is gone
	syncs   bool // to the disk, which takes its time
	// calls that were made, and how often BOOT was mounted to be written to
	calls   []string
	written int
	dark    bool
}

// failure is how a call ends that fails: done is whether it did what it was asked for.
type failure struct {
	err  error
	done bool
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{T: t, boot: filepath.Join(dir, "boot"), data: filepath.Join(dir, "data", "boot.json"), free: 1 << 20}
	b.ok(os.MkdirAll(b.boot, 0o755))
	return b
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// files are what a Raspberry Pi starts from, each with some bytes of a version.
func files(version string) map[string]string {
	m := map[string]string{}
	for _, p := range []string{"overlays/a.dtbo", "EFI/BOOT/BOOTAA64.EFI", "u-boot.bin", "config.txt", "fixup4.dat", "start4.elf"} {
		m[p] = strings.Repeat(p+" of "+version+"\n", 300)
	}
	return m
}

// names of files, in the order in which they are written.
const inOrder = "overlays/a.dtbo, EFI/BOOT/BOOTAA64.EFI, u-boot.bin, config.txt, fixup4.dat, start4.elf"

// version makes the root that of a version.
func (b *bench) version(content map[string]string) {
	b.Helper()
	b.root = fstest.MapFS{}
	for p, text := range content {
		b.root["boot/"+p] = &fstest.MapFile{Data: []byte(text)}
	}
	dir, err := fs.Sub(b.root, "boot")
	b.ok(err)
	x, err := index.Describe(dir)
	b.ok(err)
	text, err := x.Marshal()
	b.ok(err)
	b.ok(os.WriteFile(b.index(), text, 0o600))
}

func (b *bench) index() string { return filepath.Join(filepath.Dir(b.boot), "boot.json") }

// upgraded is a machine with the files of version 0.2.0, of which 0.3.0 runs.
func upgraded(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.flash(files("0.2.0"))
	b.version(files("0.3.0"))
	sum := sha256.Sum256([]byte(files("0.2.0")["config.txt"]))
	b.put("../data/boot.json", fmt.Sprintf(`{"config.txt":"%x"}`, sum))
	return b
}

// put writes to BOOT, as an image, or a person does.
func (b *bench) put(p, text string) {
	b.Helper()
	name := filepath.Join(b.boot, p)
	b.ok(os.MkdirAll(filepath.Dir(name), 0o755))
	b.ok(os.WriteFile(name, []byte(text), 0o644))
}

// flash writes all files of an image, and what no image has in its index.
func (b *bench) flash(content map[string]string) {
	b.Helper()
	for p, text := range content {
		b.put(p, text)
	}
	for p, text := range others {
		b.put(p, text)
	}
}

var others = map[string]string{"coracle/grubenv": "active=a", "coracle/grub.cfg": "old", "machine.yaml.imported": "x", "mine.txt": "y"}

// onBoot are all files on BOOT.
func (b *bench) onBoot() map[string]string {
	b.Helper()
	m := map[string]string{}
	b.ok(filepath.WalkDir(b.boot, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		name, _ := filepath.Rel(b.boot, p)
		m[name] = string(text)
		return err
	}))
	return m
}

// wants says that BOOT has these files, and the others.
func (b *bench) wants(content map[string]string) {
	b.Helper()
	want := maps.Clone(content)
	maps.Copy(want, others)
	if got := b.onBoot(); !reflect.DeepEqual(got, want) {
		b.Errorf("BOOT has %s, want %s", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		for p, text := range want {
			if got[p] != text {
				b.Errorf("%s begins with %.40q, want %.40q", p, got[p], text)
			}
		}
	}
}

func (b *bench) keeper() Keeper {
	dir, err := fs.Sub(b.root, "boot")
	b.ok(err)
	k := Keeper{
		Index: b.index(), Root: dir, Ours: b.data,
		Mount: func(readwrite bool, do func(dir string) error) error {
			if readwrite {
				b.written++
			}
			return do(b.boot)
		},
		over: func(f folder) folder { return benchFolder{f, b} },
	}
	if !b.syncs {
		k.keepFile = func(path string, content []byte) error {
			return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o600))
		}
	}
	return k
}

// run is one that has to go well.
func (b *bench) run() Result {
	b.Helper()
	r, err := b.keeper().Run(b.Context())
	b.ok(err)
	return r
}

// failAt has a call fail.
func (b *bench) failAt(n int, f failure) { b.calls, b.fail, b.dark = nil, map[int]failure{n: f}, false }

// mend has no more calls fail.
func (b *bench) mend() { b.calls, b.fail, b.cut, b.dark = nil, nil, false, false }

// benchFolder is the folder without a FAT below it.
type benchFolder struct {
	folder
	b *bench
}

var errCut = errors.New("the power is cut")

// change does a call that changes BOOT, or has it fail.
func (b *bench) change(call string, do func() error) error {
	n := len(b.calls)
	b.calls = append(b.calls, call)
	f, fails := b.fail[n]
	switch {
	case b.dark:
		return errCut
	case !fails:
		return do()
	case f.done:
		b.ok(do())
	}
	b.dark = b.cut
	return f.err
}

func (f benchFolder) free() (bytes, cluster uint64, err error) { return f.b.free, 512, nil }

// open reads from memory where nothing is written to the disk.
func (f benchFolder) open(p string) (io.ReadCloser, error) {
	if f.b.syncs {
		return f.folder.open(p)
	}
	return os.Open(filepath.Join(f.b.boot, p))
}

// place of what is in the folder: files that are one have one.
func (f benchFolder) place(p string) (int64, error) {
	info, err := os.Stat(filepath.Join(f.b.boot, p))
	if err != nil {
		return 0, err
	}
	return int64(info.Sys().(*syscall.Stat_t).Ino), nil
}

func (f benchFolder) makeFolder(p string) error {
	return f.b.change("mkdir "+p, func() error { return f.folder.makeFolder(p) })
}

func (f benchFolder) create(p string) (w file, err error) {
	err = f.b.change("create "+p, func() error { w, err = f.folder.create(p); return err })
	if err != nil {
		return nil, err
	}
	return benchFile{w, f.b, p}, nil
}

func (f benchFolder) rename(from, to string) error {
	return f.b.change("rename "+from+" "+to, func() error { return f.folder.rename(from, to) })
}

func (f benchFolder) remove(p string) error {
	return f.b.change("remove "+p, func() error { return f.folder.remove(p) })
}

func (f benchFolder) syncFolder(p string) error {
	return f.b.change("sync "+p, func() error {
		if f.b.syncs {
			return f.folder.syncFolder(p)
		}
		return nil
	})
}

type benchFile struct {
	file
	b    *bench
	name string
}

// Write, when it fails, has written half.
func (f benchFile) Write(p []byte) (n int, err error) {
	err = f.b.change("write "+f.name, func() error { n, err = f.file.Write(p); return err })
	if err != nil && !f.b.dark {
		n, _ = f.file.Write(p[:len(p)/2])
	}
	return n, err
}

func (f benchFile) Sync() error {
	err := f.b.change("fsync "+f.name, func() error {
		if f.b.syncs {
			return f.file.Sync()
		}
		return nil
	})
	if f.name == f.b.forgets {
		f.b.put(f.name, "something else")
	}
	return err
}
