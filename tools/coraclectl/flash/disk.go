package flash

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Disk is what a person wants to write an image to.
type Disk struct {
	Path      string
	Model     string // as its maker calls it; empty: not known
	Size      int64  // bytes; 0: a file, which grows
	Removable bool   // a stick or a card
	File      bool   // it is no disk, but a file, which may not be there yet
	New       bool   // the file is not there yet
	ReadOnly  bool
	InUse     []string // by what: mount points, swap, RAID
}

// ErrPartition is that a partition was named where a disk is wanted.
var ErrPartition = errors.New("is a partition; an image is written to a whole disk")

// Inspect looks what path is. Nothing is changed.
func Inspect(path string) (Disk, error) {
	if isDevice(path) {
		d, err := inspect(path)
		if err != nil {
			return d, fmt.Errorf("disk %s: %w", path, err)
		}
		return d, nil
	}
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if dir := filepath.Dir(path); !strings.HasPrefix(dir, "/dev") {
			if _, err := os.Stat(dir); err == nil {
				return Disk{Path: path, File: true, New: true}, nil
			}
		}
		return Disk{}, fmt.Errorf("there is no disk %s", path)
	case err != nil:
		return Disk{}, err
	case st.Mode().IsRegular():
		return Disk{Path: path, File: true}, nil
	}
	return Disk{}, fmt.Errorf("%s is neither a disk nor a file", path)
}

// Check is an error that says why the image cannot be written to the disk.
func (d Disk) Check(need int64) error {
	switch {
	case d.ReadOnly:
		return fmt.Errorf("%s is read-only; a card may have a switch for that", d.Path)
	case len(d.InUse) > 0:
		return fmt.Errorf("%s is in use: %s; %s", d.Path, strings.Join(d.InUse, ", "), unmountHint)
	case !d.File && d.Size < need:
		return fmt.Errorf("%s is too small: it has %d MiB, a machine with this image needs %d MiB", d.Path, d.Size/mib, (need+mib-1)/mib)
	}
	return nil
}

// String is what a person knows the disk by.
func (d Disk) String() string {
	if d.File {
		return "the file " + d.Path
	}
	text := d.Path
	if d.Model != "" {
		text += ", " + d.Model
	}
	text += fmt.Sprintf(", %.1f GB", float64(d.Size)/1e9)
	if !d.Removable {
		text += ", which is not removable"
	}
	return text
}

// Open opens the disk for [Write]; while it is open nothing else can have it.
func (d Disk) Open() (Target, error) {
	if d.File {
		f, err := os.OpenFile(d.Path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
		return file{f}, err
	}
	t, err := d.open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", d.Path, err)
	}
	return t, nil
}

// file is a Target that is no disk.
type file struct{ *os.File }

// Uncache has nothing to do: no hardware is tested.
func (file) Uncache() error { return nil }
