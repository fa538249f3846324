package podlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Reader reads a container's log as it grows, as containerd writes it. It goes on when the file is rotated and when the
// container is restarted.
type Reader struct {
	root     *os.Root
	dir      string
	previous bool
	instance int
	file     *os.File
}

// Open opens a container's log; with previous, that of the one before its last restart, which no longer grows.
func (f Folder) Open(c Container, previous bool) (*Reader, error) {
	root, err := os.OpenRoot(string(f)) // links out of it, which a pod could make in it, lead nowhere
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pod %s/%s: %w: it has had no pods", c.Namespace, c.Pod, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	r := &Reader{root: root, previous: previous}
	if err := r.openFirst(c); err != nil {
		root.Close()
		return nil, err
	}
	return r, nil
}

func (r *Reader) openFirst(c Container) (err error) {
	if r.dir, err = c.find(r.root); err != nil {
		return err
	}
	list, err := instances(r.root, r.dir)
	if err != nil {
		return err
	}
	back := 1
	if r.previous {
		back = 2
	}
	if len(list) < back {
		what := "log"
		if r.previous {
			what = "log of before a restart"
		}
		return fmt.Errorf("%s of %s: %w", what, r.dir, ErrNotFound)
	}
	r.instance = list[len(list)-back]
	r.file, err = r.open()
	return err
}

func (r *Reader) path() string { return fmt.Sprintf("%s/%d.log", r.dir, r.instance) }

// open opens the instance's file. Not blocking: what is there may be no file any more.
func (r *Reader) open() (*os.File, error) {
	f, err := r.root.OpenFile(r.path(), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", r.path())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Next writes what was added since the last call. io.EOF: nothing will be added, as the pod is gone.
func (r *Reader) Next(w io.Writer) error {
	for {
		if _, err := io.Copy(w, r.file); err != nil {
			return err
		}
		if r.previous {
			return nil
		}
		next, err := r.successor()
		if next == nil || err != nil {
			return err
		}
		// What was written between the copy and the rotation is in the old file.
		_, err = io.Copy(w, r.file)
		r.file.Close()
		r.file = next
		if err != nil {
			return err
		}
	}
}

// successor opens the file that the container writes to now, if it is another: after a rotation one of the same name,
// after a restart the one of the next number. Nil: it is the same.
func (r *Reader) successor() (*os.File, error) {
	list, err := instances(r.root, r.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, io.EOF
	}
	if err != nil || len(list) == 0 {
		return nil, err // in the middle of a rotation there may be none
	}
	last := list[len(list)-1]
	if last < r.instance {
		return nil, nil
	}
	before := r.instance
	r.instance = last
	f, err := r.open()
	if err != nil {
		r.instance = before
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	if last != before {
		return f, nil
	}
	current, err1 := r.file.Stat()
	found, err2 := f.Stat()
	if err := errors.Join(err1, err2); err != nil || os.SameFile(current, found) {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close gives up the files.
func (r *Reader) Close() error { return errors.Join(r.file.Close(), r.root.Close()) }
