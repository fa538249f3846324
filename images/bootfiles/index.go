// Package bootfiles describes the files of the partition BOOT that belong to the system: firmware, device trees, U-Boot, and GRUB for
// UEFI. An image carries them in its root, where verity holds them to what was signed, with an index; the machine brings BOOT to that
// once the version is confirmed (machined/update/bootfiles).
package bootfiles

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// dir is where they are in the root of a running machine.
const dir = "/usr/share/coracle/boot"

// Disk is a kind of disk, by what starts from it: the same root is on all of them, other files are on BOOT.
type Disk string

const (
	UEFI        Disk = "uefi"         // has a GPT
	RaspberryPi Disk = "raspberry-pi" // has an MBR
)

// Dir is the folder with the files, under the same paths as on BOOT.
func (d Disk) Dir() string { return dir + "/" + string(d) }

// IndexPath is where their index is.
func (d Disk) IndexPath() string { return d.Dir() + ".json" }

const (
	// MaxIndex is the most bytes that an index may have.
	MaxIndex = 64 << 10
	// MaxSize is the most bytes that all files together may have: while they are replaced the old ones are on BOOT too, which has
	// 64 MiB.
	MaxSize = 30 << 20
)

// Index is the content of [Disk.IndexPath].
type Index struct {
	Files []File `json:"files"` // in the order in which they are written: each after those that it refers to
}

// File is one file.
type File struct {
	Path   string `json:"path"` // on BOOT, such as EFI/BOOT/BOOTX64.EFI
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	// KeepIfChanged is that people may change it: it is replaced only while it is as some version of Coracle wrote it.
	KeepIfChanged bool `json:"keepIfChanged,omitempty"`
}

// Parse reads an index. Root and index are of one build, so that nothing in it may be unknown.
func Parse(b []byte) (Index, error) {
	x, err := parse(b)
	if err != nil {
		return Index{}, fmt.Errorf("index of the files on BOOT: %w", err)
	}
	return x, nil
}

func parse(b []byte) (Index, error) {
	var x Index
	if len(b) > MaxIndex {
		return x, fmt.Errorf("%d bytes, at most %d", len(b), MaxIndex)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&x); err != nil {
		return x, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return x, errors.New("something follows its end")
	}
	return x, x.check()
}

// Marshal writes an index as it is put into a root.
func (x Index) Marshal() ([]byte, error) {
	if err := x.check(); err != nil {
		return nil, fmt.Errorf("index of the files on BOOT: %w", err)
	}
	b, err := json.MarshalIndent(x, "", "  ")
	if err == nil && len(b) >= MaxIndex {
		err = fmt.Errorf("index of the files on BOOT: %d bytes, at most %d", len(b), MaxIndex-1)
	}
	return append(b, '\n'), err
}

func (x Index) check() error {
	if len(x.Files) == 0 {
		return errors.New("it has no files")
	}
	left := int64(MaxSize)
	for i, f := range x.Files {
		if err := checkPath(f.Path); err != nil {
			return err
		}
		switch {
		case f.Size <= 0 || f.Size > left:
			return fmt.Errorf("%s: %d bytes; a file is not empty, and all together have at most %d", f.Path, f.Size, MaxSize)
		case !isSHA256(f.SHA256):
			return fmt.Errorf("%s: SHA-256 %q is not 64 hex digits", f.Path, f.SHA256)
		case i > 0 && compare(x.Files[i-1], f) > 0:
			return fmt.Errorf("%s comes before %s, which it refers to", x.Files[i-1].Path, f.Path)
		}
		left -= f.Size
	}
	return x.checkTree()
}

// checkTree looks for a path that is there twice, and for a file that is a folder too. FAT does not tell capitals apart.
func (x Index) checkTree() error {
	files := map[string]bool{}
	for _, f := range x.Files {
		if p := strings.ToLower(f.Path); files[p] {
			return fmt.Errorf("%s is there twice", f.Path)
		} else {
			files[p] = true
		}
	}
	for _, f := range x.Files {
		for p := strings.ToLower(f.Path); strings.Contains(p, "/"); {
			p = p[:strings.LastIndexByte(p, '/')]
			if files[p] {
				return fmt.Errorf("%s is in a folder that is a file", f.Path)
			}
		}
	}
	return nil
}

// isSHA256 is whether s is one as we write it: they are compared as text.
func isSHA256(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && hex.EncodeToString(b) == s
}
