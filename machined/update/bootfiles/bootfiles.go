// Package bootfiles brings the files of the partition BOOT that belong to the system, firmware, device trees, U-Boot and GRUB, to those that
// the root of the version that runs carries. They are not A/B: both slots start from them. So they are only touched for a version that is
// confirmed, each is whole under its old content or its new one, and what decides which slot is booted is none of them.
//
// docs/decisions/0110 says what a power cut can do, images/bootfiles what an image carries.
package bootfiles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	index "github.com/coracle-os/coracle/images/bootfiles"
)

// Keeper knows where things are on a machine.
type Keeper struct {
	Index string // file of the root; one that is missing has nothing done
	Root  fs.FS  // the files as they should be
	Ours  string // file on DATA that remembers what Coracle wrote; empty: there is no DATA
	// Mount calls do with the folder that BOOT is mounted on. What was written is on the disk when it returns nil.
	Mount func(readwrite bool, do func(dir string) error) error

	over     func(folder) folder                     // for tests, over the mounted one; nil: nothing
	keepFile func(path string, content []byte) error // for tests; nil: atomicfile.Write
}

// Result is what [Keeper.Run] did.
type Result struct {
	Replaced []string // files, in this order
	Kept     []string // that are another version's, as a person has changed them
}

// Run compares BOOT with the root, and replaces what is different. It is to be called only while the version that runs is confirmed; as
// often as one likes, as there is nothing to do mostly. With an error Replaced is what was done nevertheless.
func (k Keeper) Run(ctx context.Context) (Result, error) {
	var r Result
	text, err := os.ReadFile(k.Index)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	want, err := index.Parse(text)
	if err != nil {
		return r, err
	}
	ours, problem := readOurs(k.Ours)
	var on onBoot
	var todo plan
	examine := func(boot folder) (err error) {
		on, err = look(ctx, boot, want.Files)
		todo = planFor(want.Files, on, ours)
		return err
	}
	err = k.mount(false, examine)
	if err == nil && !todo.empty() {
		err = k.mount(true, func(boot folder) error {
			if err := examine(boot); err != nil { // somebody may have written to it since
				return err
			}
			r.Replaced, err = todo.carryOut(ctx, boot, k.Root)
			return err
		})
	}
	if err != nil {
		return r, naming(explain(err), r.Replaced)
	}
	r.Kept = todo.kept
	now := maps.Clone(on.sums)
	for _, f := range todo.write {
		now[f.Path] = f.SHA256
	}
	return r, naming(errors.Join(problem, k.keepOurs(ours, want.Files, now)), r.Replaced)
}

func (k Keeper) mount(readwrite bool, do func(folder) error) error {
	return k.Mount(readwrite, func(dir string) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		var boot folder = mounted{root}
		if k.over != nil {
			boot = k.over(boot)
		}
		return do(boot)
	})
}

// errFull is that BOOT has no room for the new files beside the old.
var errFull = errors.New("BOOT is full")

// explain says what an error is about, and what to do.
func explain(err error) error {
	switch {
	case errors.Is(err, errFull):
		return fmt.Errorf("%w: remove files that are not Coracle's from it", err)
	case errors.Is(err, unix.ENOSPC):
		return fmt.Errorf("%w: remove files that are not Coracle's from it (%w)", errFull, err)
	case errors.Is(err, errShared), errors.Is(err, unix.EIO), errors.Is(err, unix.EROFS), errors.Is(err, unix.EUCLEAN):
		return fmt.Errorf("BOOT cannot be written to, as its disk or file system is damaged: have it repaired on another computer (fsck.vfat -a, or Windows) (%w)", err)
	}
	return err
}

// naming adds to an error what was replaced nevertheless.
func naming(err error, replaced []string) error {
	if err == nil || len(replaced) == 0 {
		return err
	}
	return fmt.Errorf("%w; replaced were %s", err, strings.Join(replaced, ", "))
}
