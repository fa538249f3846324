package bootfiles

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
)

// keepIfChanged are the files that people change.
var keepIfChanged = []string{"config.txt"}

// inOrder are patterns (path.Match) of files that refer to others, in the order in which they are written; what matches none comes
// before them all. It is the order of a Raspberry Pi's start, backwards: a power cut in between leaves nothing that names what is not there
// yet. fixup and start of one generation belong together, so there is nothing between them.
var inOrder = []string{"EFI/BOOT/*", "u-boot*.bin", "config.txt", "fixup.dat", "start.elf", "fixup4.dat", "start4.elf", "bootcode.bin"}

// compare is the order in which files are written.
func compare(a, b File) int {
	return cmp.Or(cmp.Compare(place(a.Path), place(b.Path)), cmp.Compare(a.Path, b.Path))
}

func place(p string) int {
	return slices.IndexFunc(inOrder, func(pattern string) bool {
		ok, _ := path.Match(pattern, p) // the patterns are tested
		return ok
	})
}

// Describe makes the index of a folder that will be a [Disk.Dir].
func Describe(dir fs.FS) (Index, error) {
	var x Index
	err := fs.WalkDir(dir, ".", func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return nil
		case !e.Type().IsRegular():
			return fmt.Errorf("%s is no file: FAT has nothing else", p)
		}
		f, err := describe(dir, p)
		x.Files = append(x.Files, f)
		return err
	})
	if err != nil {
		return Index{}, fmt.Errorf("files for BOOT: %w", err)
	}
	slices.SortFunc(x.Files, compare)
	if err := x.check(); err != nil {
		return Index{}, fmt.Errorf("files for BOOT: %w", err)
	}
	return x, nil
}

func describe(dir fs.FS, p string) (File, error) {
	f, err := dir.Open(p)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	return File{Path: p, Size: size, SHA256: hex.EncodeToString(h.Sum(nil)), KeepIfChanged: slices.Contains(keepIfChanged, p)}, err
}
