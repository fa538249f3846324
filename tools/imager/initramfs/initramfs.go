// Package initramfs writes a folder as the archive that the kernel unpacks at boot.
package initramfs

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"github.com/u-root/u-root/pkg/cpio"
)

// Write writes the folder as a newc cpio archive, compressed with zstd, to the file out. Everything is owned by root and
// has no date; the order is that of the names: the same folder gives the same bytes.
func Write(folder, out string) error {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer f.Close()
	// One goroutine: how concurrent ones cut the input is not promised to stay the same.
	z, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	if err := archive(z, folder); err != nil {
		return fmt.Errorf("write initramfs %s: %w", out, err)
	}
	if err := z.Close(); err != nil {
		return err
	}
	return f.Close()
}

// reproducible writes records that are the same whenever they are written.
func reproducible(records cpio.RecordWriter) func(cpio.Record) error {
	var inode uint64
	return func(r cpio.Record) error {
		inode++
		r = cpio.MakeReproducible(r)
		r.Ino = inode
		return records.WriteRecord(r)
	}
}

// archive writes the records, with a console for the time before devtmpfs is mounted.
func archive(w io.Writer, folder string) error {
	records := cpio.Newc.Writer(w)
	write := reproducible(records)
	for _, r := range []cpio.Record{cpio.Directory("dev", 0o755), cpio.CharDev("dev/console", 0o600, 5, 1)} {
		if err := write(r); err != nil {
			return err
		}
	}
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(folder, name)
		if err != nil || rel == "." || rel == "dev" {
			return err
		}
		r, err := record(name, filepath.ToSlash(rel), d)
		if err != nil {
			return err
		}
		return write(r)
	})
	if err != nil {
		return err
	}
	return cpio.WriteTrailer(records)
}

func record(name, rel string, d fs.DirEntry) (cpio.Record, error) {
	info, err := d.Info()
	if err != nil {
		return cpio.Record{}, err
	}
	switch {
	case d.IsDir():
		return cpio.Directory(rel, uint64(info.Mode().Perm())), nil
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(name)
		return cpio.Symlink(rel, target), err
	case info.Mode().IsRegular():
		content, err := os.ReadFile(name)
		return cpio.StaticFile(rel, string(content), uint64(info.Mode().Perm())), err
	}
	return cpio.Record{}, fmt.Errorf("%s is neither file, folder nor symlink", rel)
}
