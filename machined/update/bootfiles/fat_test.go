package bootfiles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fat is a model of the kernel's FAT (fs/fat/namei_vfat.c, Linux 6.12), as far as a power cut shows it: what is written to the disk, and
// what the kernel still has to write, which it may do in any order unless it is told to sync. The content of a file is in one chain of
// clusters.
type fat struct {
	*testing.T
	rand    *rand.Rand     // chooses what the kernel writes by itself; nil: nothing
	disk    map[string]int // the folders on the disk: the chain of each name; 0: an empty file
	content map[int]string // of chains on the disk
	used    map[int]bool   // chains that are not free, on the disk

	inodes  map[string]*inode // the kernel's view
	taken   map[int]bool
	pending []pending
	steps   int // calls that change it
	cutAt   int // -1: never
	dark    bool
	// readonly is that the kernel met what cannot be, and takes no more writes until it is mounted again.
	readonly bool
}

type inode struct {
	name   string // empty: it was removed
	chain  int
	opened int
	data   []byte
}

// pending is something that the kernel has not written yet.
type pending struct {
	dir  string // it is written when this folder is synced
	node *inode // or this file
	// chain is one whose clusters become used or free; it is written with any folder or file, after the rest.
	chain int
	do    func()
}

func newFAT(t *testing.T, content map[string]string) *fat {
	f := &fat{T: t, disk: map[string]int{}, content: map[int]string{}, used: map[int]bool{}, cutAt: -1}
	for i, p := range slices.Sorted(maps.Keys(content)) {
		f.disk[p], f.content[i+1], f.used[i+1] = i+1, content[p], true
	}
	f.mount()
	return f
}

// mount is a boot: the kernel knows what is on the disk.
func (f *fat) mount() {
	f.inodes, f.taken, f.pending, f.steps, f.dark, f.readonly = map[string]*inode{}, maps.Clone(f.used), nil, 0, false, false
	for name, chain := range f.disk {
		f.inodes[name] = &inode{name: name, chain: chain, data: []byte(f.content[chain])}
	}
}

// unmount writes all that is pending.
func (f *fat) unmount() {
	for _, p := range f.pending {
		p.do()
	}
	f.pending = nil
}

// step is the moment before a call. When the power is cut then, some of what is pending has been written.
func (f *fat) step() error {
	switch {
	case f.dark:
		return errCut
	case f.readonly:
		return unix.EROFS
	case f.steps == f.cutAt:
		f.dark = true
		if f.rand == nil {
			return errCut
		}
		f.rand.Shuffle(len(f.pending), func(i, j int) { f.pending[i], f.pending[j] = f.pending[j], f.pending[i] })
		for _, p := range f.pending[:f.rand.IntN(len(f.pending)+1)] {
			p.do()
		}
		return errCut
	}
	f.steps++
	return nil
}

// sync writes what is pending of a folder or a file.
func (f *fat) sync(wanted func(pending) bool) error {
	if err := f.step(); err != nil {
		return err
	}
	f.flush(wanted)
	if err := f.step(); err != nil {
		return err
	}
	f.flush(func(p pending) bool { return p.chain != 0 })
	return nil
}

// flush writes some of what is pending.
func (f *fat) flush(wanted func(pending) bool) {
	var left []pending
	for _, p := range f.pending {
		if wanted(p) {
			p.do()
		} else {
			left = append(left, p)
		}
	}
	f.pending = left
}

// evict frees the clusters of a file that has neither a name nor anybody who has it open.
func (f *fat) evict(n *inode) {
	if n.name != "" || n.opened > 0 || n.chain == 0 || f.dark {
		return
	}
	if !f.taken[n.chain] { // fat_free_clusters: "deleting FAT entry beyond EOF"
		f.readonly = true
		return
	}
	f.take(n.chain, false)
	n.chain = 0
}

// take has clusters become used or free.
func (f *fat) take(chain int, used bool) {
	f.taken[chain] = used
	f.pending = append(f.pending, pending{chain: chain, do: func() { f.used[chain] = f.taken[chain] }})
}

type opened struct {
	io.Reader
	f *fat
	n *inode
}

func (o opened) Close() error {
	o.n.opened--
	o.f.evict(o.n)
	return nil
}

func (f *fat) open(p string) (io.ReadCloser, error) {
	if f.dark {
		return nil, errCut
	}
	n := f.inodes[p]
	if n == nil {
		return nil, fs.ErrNotExist
	}
	n.opened++
	return opened{bytes.NewReader(n.data), f, n}, nil
}

func (f *fat) files(dir string) ([]string, error) {
	var names []string
	for p := range f.inodes {
		if path.Dir(p) == dir {
			names = append(names, path.Base(p))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (f *fat) place(p string) (int64, error)            { return int64(f.inodes[p].chain), nil }
func (f *fat) free() (bytes, cluster uint64, err error) { return 1 << 20, 512, nil }
func (f *fat) makeFolder(string) error                  { return nil }
func (f *fat) later(dir string, node *inode, write func()) {
	f.pending = append(f.pending, pending{dir: dir, node: node, do: write})
}

// add has an entry without content written.
func (f *fat) add(p string) {
	f.later(path.Dir(p), nil, func() { f.disk[p] = max(f.disk[p], 0) })
}

func (f *fat) create(p string) (file, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	if f.inodes[p] != nil {
		return nil, fs.ErrExist
	}
	n := &inode{name: p, opened: 1}
	f.inodes[p] = n
	f.add(p)
	return fatFile{f, n}, nil
}

type fatFile struct {
	f *fat
	n *inode
}

func (w fatFile) Write(b []byte) (int, error) {
	f, n := w.f, w.n
	if err := f.step(); err != nil {
		return 0, err
	}
	if n.chain == 0 {
		for n.chain = 1; f.taken[n.chain]; n.chain++ { // the first that is free: it may have been another file's until now
		}
		f.take(n.chain, true)
	}
	n.data = append(n.data, b...)
	chain, data := n.chain, string(n.data)
	f.content[chain] = data[:len(data)/2] // at once, in part
	f.later("", n, func() { f.content[chain] = data })
	w.dirty()
	return len(b), nil
}

// dirty has the file's entry written, where that is then.
func (w fatFile) dirty() {
	n := w.n
	w.f.later("", n, func() {
		if n.name != "" {
			w.f.disk[n.name] = n.chain
		}
	})
}

func (w fatFile) Sync() error {
	return w.f.sync(func(p pending) bool { return p.node == w.n })
}

func (w fatFile) Close() error { return opened{nil, w.f, w.n}.Close() }

func (f *fat) rename(from, to string) error {
	if err := f.step(); err != nil {
		return err
	}
	n := f.inodes[from]
	if old := f.inodes[to]; old != nil {
		old.name = ""
		defer f.evict(old)
	} else {
		f.add(to)
	}
	delete(f.inodes, from)
	f.inodes[to], n.name = n, to
	fatFile{f, n}.dirty()
	f.later(path.Dir(from), nil, func() { delete(f.disk, from) })
	return nil
}

func (f *fat) remove(p string) error {
	if err := f.step(); err != nil {
		return err
	}
	n := f.inodes[p]
	if n == nil {
		return fs.ErrNotExist
	}
	delete(f.inodes, p)
	n.name = ""
	f.later(path.Dir(p), nil, func() { delete(f.disk, p) })
	f.evict(n)
	return nil
}

func (f *fat) syncFolder(dir string) error {
	return f.sync(func(p pending) bool { return p.dir == dir })
}

// check says that each file on the disk is old or new, in clusters that are in use, and tells whether two names share some.
func (f *fat) check(what string, before, after map[string]string) (shared bool) {
	f.Helper()
	owner := map[int]string{}
	for p, chain := range f.disk {
		if chain == 0 {
			if _, there := before[p]; there {
				f.Errorf("%s: %s is empty", what, p)
			}
			continue
		}
		if other := owner[chain]; other != "" {
			shared = true
		}
		owner[chain] = p
		text, temporary := f.content[chain], after[p] == "" && before[p] == ""
		if !temporary && (!f.used[chain] || text != before[p] && text != after[p]) {
			f.Errorf("%s: %s, in use %v, begins with %.40q", what, p, f.used[chain], text)
		}
	}
	for p := range before {
		if _, there := f.disk[p]; !there {
			f.Errorf("%s: %s is gone", what, p)
		}
	}
	return shared
}

// TestPowerCutsOnFAT cuts the power before every call, when the kernel has written some of what it has to. Every file is old or new, and
// the next boot mends the rest. Two things can be otherwise when the kernel wrote something by itself, just then:
//
//   - The new name was on the disk before the temporary one was gone. That is seen, and left to a person.
//   - The temporary name was before its clusters were in use. The kernel sees that, and takes no writes; the boot after mends it.
func TestPowerCutsOnFAT(t *testing.T) {
	before, after := files("0.2.0"), files("0.3.0")
	after["bcm2711-rpi-500.dtb"] = "a board that is new"
	b := newBench(t)
	b.version(after)
	b.data = ""
	want := maps.Clone(after)
	want["config.txt"] = before["config.txt"] // there is no DATA that knows it
	run := func(f *fat) error {
		k := b.keeper()
		k.over = func(folder) folder { return f }
		_, err := k.Run(t.Context())
		return err
	}
	mended, late, shared := 0, 0, 0
	for cut := 0; ; cut++ {
		for seed := range uint64(12) {
			f := newFAT(t, before)
			if f.cutAt = cut; seed > 0 {
				f.rand = rand.New(rand.NewPCG(uint64(cut), seed))
			}
			err := run(f)
			if !f.dark {
				f.unmount()
				if err != nil || f.check("in the end", want, want) || cut < 5*6 || mended < 10*(shared+late) {
					t.Errorf("%d calls, %v; of the cuts %d were mended, %d late, %d not", cut, err, mended, late, shared)
				}
				return
			}
			what := fmt.Sprintf("cut at call %d, seed %d", cut, seed)
			if !errors.Is(err, errCut) {
				t.Errorf("%s: %v", what, err)
			}
			sharing := f.check(what, before, after)
			f.cutAt = -1
			f.mount()
			err = run(f)
			f.unmount()
			what += ", mended"
			f.check(what, before, after)
			if seed == 0 && err != nil {
				t.Errorf("%s: the kernel wrote nothing by itself, and yet: %v", what, err)
			}
			switch {
			case sharing:
				if shared++; err == nil || !strings.Contains(err.Error(), "at the same place") {
					t.Errorf("%s: two names share clusters, and it says %v", what, err)
				}
				continue
			case errors.Is(err, unix.EROFS):
				late++
				f.mount()
				err = run(f)
				f.unmount()
			default:
				mended++
			}
			for p, chain := range f.disk {
				if f.content[chain] != want[p] {
					t.Errorf("%s: %s begins with %.40q", what, p, f.content[chain])
				}
			}
			if err != nil || len(f.disk) != len(want) {
				t.Errorf("%s: BOOT has %s, %v", what, slices.Sorted(maps.Keys(f.disk)), err)
			}
			if t.Failed() {
				return
			}
		}
	}
}
