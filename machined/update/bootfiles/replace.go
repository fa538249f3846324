package bootfiles

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	index "github.com/coracle-os/coracle/images/bootfiles"
)

// errNotWritten is that what was written to BOOT is not what is read from it.
var errNotWritten = errors.New("what was written is not what is read: the disk is failing")

// staged is a new file that is whole on the disk, under its temporary name.
type staged struct {
	index.File
	temporary string
	file      file
}

// carryOut does what a plan says, and returns the files that were replaced. All of them are written, and read back, before the first is
// renamed: what is wrong with the disk or its file system is found while every old file is in its place.
func (p plan) carryOut(ctx context.Context, boot folder, root fs.FS) (replaced []string, err error) {
	for _, left := range p.remove {
		if err := removeLeftover(boot, left); err != nil {
			return nil, fmt.Errorf("remove %s, which a power cut left: %w", left, err)
		}
	}
	free, _, err := boot.free()
	if err != nil {
		return nil, err
	}
	if free < p.space {
		return nil, fmt.Errorf("%w: %d KiB are free, and %d KiB are needed", errFull, free>>10, (p.space+1023)>>10)
	}
	var list []*staged
	defer func() {
		for _, s := range list[len(replaced):] {
			boot.remove(s.temporary) // else the next run does
			boot.syncFolder(path.Dir(s.temporary))
		}
		for _, s := range list {
			s.file.Close()
		}
	}()
	block := make([]byte, blockSize)
	for number, f := range p.write {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, err := stage(boot, root, f, number, block)
		if s != nil {
			list = append(list, s)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	for _, s := range list {
		if err := s.replace(boot); err != nil {
			return replaced, fmt.Errorf("%s: %w", s.Path, err)
		}
		replaced = append(replaced, s.Path)
	}
	return replaced, nil
}

// removeLeftover removes a file so that its name is gone before its content counts as free.
func removeLeftover(boot folder, p string) error {
	f, err := boot.open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	return errors.Join(boot.remove(p), boot.syncFolder(path.Dir(p)))
}

// stage writes a file beside the old one, a block at a time, and reads it back. What it returns, also with an error, is there.
func stage(boot folder, root fs.FS, f index.File, number int, block []byte) (*staged, error) {
	from, err := root.Open(f.Path)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	dir := path.Dir(f.Path)
	if err := boot.makeFolder(dir); err != nil {
		return nil, err
	}
	s := &staged{File: f, temporary: path.Join(dir, index.Temporary(number))}
	if s.file, err = boot.create(s.temporary); err != nil {
		return nil, err
	}
	h := sha256.New()
	// Its own writers and readers would read and write in pieces of their own size.
	type writer struct{ io.Writer }
	type reader struct{ io.Reader }
	size, err := io.CopyBuffer(writer{s.file}, reader{io.TeeReader(from, h)}, block)
	if err != nil {
		return s, err
	}
	if size != f.Size || hex.EncodeToString(h.Sum(nil)) != f.SHA256 {
		return s, errors.New("the file in the root is not the one in its index")
	}
	// The kernel writes a file's entry in its folder before the table that says which clusters are in use; with the folder it writes the
	// table alone. So no entry is on the disk that has clusters which are free.
	if err := boot.syncFolder(dir); err != nil {
		return s, err
	}
	if err := s.file.Sync(); err != nil {
		return s, err
	}
	sum, err := sumOf(boot, s.temporary)
	if err == nil && sum != f.SHA256 {
		err = errNotWritten
	}
	return s, err
}

// replace gives a new file its name. FAT does that in three writes, which the kernel orders as it likes; here they come as a power cut
// between them does no harm:
//
//   - The folder is synced: the temporary name is gone, and the file's own name is still that of the old content.
//   - The new file is synced: one sector of the folder says where the content of that name is now, and how long it is.
//   - The old file, which is kept open for that, is closed: its content counts as free.
func (s *staged) replace(boot folder) error {
	old, err := boot.open(s.Path)
	switch {
	case err == nil:
		defer old.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := boot.rename(s.temporary, s.Path); err != nil {
		return err
	}
	return errors.Join(boot.syncFolder(path.Dir(s.Path)), s.file.Sync())
}
