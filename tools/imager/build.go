package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/coracle-os/coracle/arch"
	"github.com/coracle-os/coracle/arch/boards"
	"github.com/coracle-os/coracle/images/slot"
	slotbuild "github.com/coracle-os/coracle/images/slot/build"
	"github.com/coracle-os/coracle/tools/imager/debian"
	"github.com/coracle-os/coracle/tools/imager/definition"
	"github.com/coracle-os/coracle/tools/imager/gobuild"
	"github.com/coracle-os/coracle/tools/imager/kernel"
	"github.com/coracle-os/coracle/tools/imager/rootfs"
)

// builder is a build: its steps leave here what later steps need.
type builder struct {
	file       string // the image definition
	definition *definition.Definition
	arch       arch.Architecture
	out        string // for what a person takes away
	work       string // for what is made on the way
	cache      string // for what is downloaded
	options    options

	source        gobuild.Source
	archive       *debian.Archive
	kernelArchive *debian.Archive // which the kernel is from; often the same
	tools         *debian.Tools
	files         *debian.Picker   // over packages and what they depend on
	plain         *debian.Picker   // over packages of which only data is taken
	models        boards.Models    // that the image is for, if it is for boards
	boardPackages []debian.Package // those that boards start from
	linked        []debian.Package // those with C libraries that programs are linked with, and what they depend on
	shipped       []debian.Package // those that the image has anything of
	kernel        kernel.Kernel
	modules       moduleLists
	programs      map[string]string // path in the root to the program built

	root     *rootfs.Tree
	tree     slotbuild.Tree
	layout   slot.Layout
	manifest slot.Manifest
	outputs  []output
}

// options are what is asked of a build besides its definition.
type options struct {
	version  string // instead of what git says
	overlay  string // folder with files that are laid over the root
	key      string // file with the key that signs artifacts; empty: the development key
	release  bool   // nothing of this clone is trusted
	unsigned bool   // artifacts are not signed
}

// check finds options that contradict each other.
func (o options) check() error {
	switch {
	case o.release && o.overlay != "":
		return errors.New("--overlay is for tests, not for a release")
	case o.unsigned && o.key != "":
		return errors.New("--unsigned and --key contradict each other")
	}
	return nil
}

// goal is what a build makes.
type goal uint

const (
	diskImage goal = 1 << iota
	upgradeArtifact
)

// build builds what the definition file describes and returns what was made.
func build(ctx context.Context, file, out, cache string, what goal, o options) ([]output, error) {
	b, err := newBuilder(file, out, cache, o)
	if err != nil {
		return nil, err
	}
	unlock, err := lock(b.work)
	if err != nil {
		return nil, err
	}
	defer unlock()
	defer b.close()
	if what&upgradeArtifact != 0 {
		if _, err := b.signingKey(); err != nil { // not only when all was built
			return nil, err
		}
	}
	fmt.Printf("building %s for %s into %s\n", file, b.image(), out)
	if err := runSteps(ctx, os.Stdout, b.steps(what)); err != nil {
		return nil, err
	}
	if err := b.archive.Incomplete(); err != nil { // it was said long ago
		fmt.Fprintf(os.Stderr, "\nwarning: this build is incomplete: %v\n", err)
	}
	if what&diskImage != 0 {
		fmt.Println()
		for _, image := range b.diskImages() {
			fmt.Println(image)
		}
	}
	return b.outputs, nil
}

func newBuilder(file, out, cache string, o options) (*builder, error) {
	d, err := definition.Load(file)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	b := &builder{file: file, definition: d, options: o, programs: map[string]string{}}
	if b.arch, err = arch.Named(d.Arch); err != nil {
		return nil, err
	}
	if b.source.Dir, err = definition.Repository(file); err != nil {
		return nil, err
	}
	for to, from := range map[*string]string{&b.out: out, &b.cache: cache, &b.work: filepath.Join(out, "work", b.image())} {
		if *to, err = filepath.Abs(from); err != nil {
			return nil, err
		}
	}
	return b, os.MkdirAll(b.work, 0o755)
}

// steps are the build, in order.
func (b *builder) steps(what goal) []step {
	steps := []step{
		{"source", b.source.Dir, b.inspect},
		{"packages", b.file + ": packages", b.fetch},
	}
	for _, p := range b.allPrograms() {
		steps = append(steps, step{"go " + p.Path, p.Package, func(ctx context.Context) (string, error) { return b.compile(ctx, p) }})
	}
	for _, c := range b.definition.Containers {
		steps = append(steps, step{"container " + containerName(c), c.Definition, func(ctx context.Context) (string, error) { return b.makeContainer(ctx, c) }})
	}
	steps = append(steps, []step{
		{"modules", b.definition.Kernel.Package, b.chooseModules},
		{"root", b.file, b.layRoot},
		{"pack root", b.inWork("root"), b.packRoot},
		{"verity", b.inWork("root.img"), b.hashRoot},
		{"initramfs", b.definition.Initramfs.Init, b.makeInitramfs},
		{"slot", b.inWork("slot.img"), b.assembleSlot},
	}...)
	if what&upgradeArtifact != 0 {
		steps = append(steps, step{"artifact", b.inWork("slot.img"), b.writeArtifact})
	}
	if what&diskImage != 0 {
		if b.definition.Disk.UEFI {
			steps = append(steps, step{"disk", b.path(".img"), b.writeDisk})
		}
		for _, board := range b.definition.Disk.Boards {
			steps = append(steps, step{"disk " + board, b.boardImage(board), func(ctx context.Context) (string, error) { return b.writeBoard(ctx, board) }})
		}
		for _, image := range b.diskImages() {
			steps = append(steps, step{"compress", image, func(ctx context.Context) (string, error) { return compress(ctx, image) }})
		}
		steps = append(steps, step{"digests", b.out, func(context.Context) (string, error) { return b.writeDigests(what) }})
	}
	return steps
}

// image is what this image is called among those of one version: ARCH or FLAVOUR-ARCH.
func (b *builder) image() string {
	if b.definition.Flavour == "" {
		return b.arch.Name
	}
	return b.definition.Flavour + "-" + b.arch.Name
}

// path is where an output is: coracle-ARCH or coracle-FLAVOUR-ARCH, and the ending.
func (b *builder) path(ending string) string {
	return filepath.Join(b.out, "coracle-"+b.image()+ending)
}

func (b *builder) inWork(name string) string { return filepath.Join(b.work, name) }

func (b *builder) close() {
	if b.archive != nil {
		b.archive.Close()
	}
}

// lock keeps two builds out of one folder.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another build is at work in %s: wait for it, or choose another --out", dir)
	}
	return func() { f.Close() }, nil
}
