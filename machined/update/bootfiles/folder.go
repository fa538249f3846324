package bootfiles

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/machined/storage"
)

// folder is BOOT while it is mounted. Paths are relative to it.
type folder interface {
	// open reads a file as it is on the disk.
	open(path string) (io.ReadCloser, error)
	// files lists the names of the files in a folder; none if it is missing.
	files(dir string) ([]string, error)
	// place is where a file's first byte is on the partition; 0 if it has none.
	place(path string) (int64, error)
	// free is how many bytes are free, and how many the smallest file takes.
	free() (bytes, cluster uint64, err error)
	makeFolder(path string) error
	// create makes a file that is not there.
	create(path string) (file, error)
	rename(from, to string) error
	remove(path string) error
	syncFolder(path string) error
}

// file is one that is being written.
type file interface {
	io.WriteCloser
	Sync() error
}

// mounted is a folder of the machine.
type mounted struct{ root *os.Root }

func (m mounted) open(path string) (io.ReadCloser, error) {
	f, err := m.root.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) { // a file system without it, in tests
		return m.root.Open(path)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	block, err := unix.Mmap(-1, 0, blockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("memory for a block of %d bytes: %w", blockSize, err)
	}
	return &direct{f: f, size: info.Size(), block: block}, nil
}

// blockSize is how much is read or written at a time, in bytes: whole sectors of any disk.
const blockSize = 256 << 10

// direct reads a file past the page cache: what was written is read from the disk, and what is read does not take the memory of a small
// machine.
type direct struct {
	f     *os.File
	size  int64  // bytes; what is asked for beyond it is an error, as it is not at a whole sector
	block []byte // starts at a page, as O_DIRECT wants it
	left  []byte
	at    int64
}

func (d *direct) Read(p []byte) (int, error) {
	if len(d.left) == 0 {
		want := min(int64(len(d.block)), d.size-d.at)
		if want <= 0 {
			return 0, io.EOF
		}
		if n, err := d.f.ReadAt(d.block, d.at); int64(n) < want {
			return 0, cmp.Or(err, io.ErrUnexpectedEOF)
		}
		d.left, d.at = d.block[:want], d.at+want
	}
	n := copy(p, d.left)
	d.left = d.left[n:]
	return n, nil
}

func (d *direct) Close() error { return errors.Join(unix.Munmap(d.block), d.f.Close()) }

func (m mounted) files(dir string) ([]string, error) {
	list, err := fs.ReadDir(m.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range list {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func (m mounted) place(path string) (int64, error) {
	f, err := m.root.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return storage.FirstByte(f)
}

func (m mounted) free() (bytes, cluster uint64, err error) {
	d, err := m.root.Open(".")
	if err != nil {
		return 0, 0, err
	}
	defer d.Close()
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(d.Fd()), &s); err != nil {
		return 0, 0, fmt.Errorf("statfs %s: %w", d.Name(), err)
	}
	return s.Bavail * uint64(s.Bsize), uint64(s.Bsize), nil
}

// makeFolder makes a folder, those that it is in, and their names last.
func (m mounted) makeFolder(dir string) error {
	if dir == "." {
		return nil
	}
	if err := m.makeFolder(path.Dir(dir)); err != nil {
		return err
	}
	switch err := m.root.Mkdir(dir, 0o755); {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	return m.syncFolder(path.Dir(dir))
}

func (m mounted) create(path string) (file, error) {
	return m.root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

func (m mounted) rename(from, to string) error { return m.root.Rename(from, to) }

func (m mounted) remove(path string) error { return m.root.Remove(path) }

func (m mounted) syncFolder(path string) error {
	d, err := m.root.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
