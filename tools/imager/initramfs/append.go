package initramfs

import (
	"bytes"
	"fmt"
	"os"
	"path"

	"github.com/u-root/u-root/pkg/cpio"
)

// Append adds an archive with one file to the initramfs out. The kernel unpacks one archive after the other (init/initramfs.c,
// unpack_to_rootfs): behind a compressed one it skips zeros, and takes one that is not compressed if it begins at a
// multiple of four. So what differs between two versions is not in the large archive, which stays the same bytes.
func Append(out, name string, content []byte) error {
	second, err := single(name, content)
	if err != nil {
		return fmt.Errorf("add %s to initramfs %s: %w", name, out, err)
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	filling := make([]byte, (4-info.Size()%4)%4)
	if _, err := f.Write(append(filling, second...)); err != nil {
		return fmt.Errorf("add %s to initramfs %s: %w", name, out, err)
	}
	return f.Close()
}

// single is an archive of a file and the folders above it.
func single(name string, content []byte) ([]byte, error) {
	var b bytes.Buffer
	records := cpio.Newc.Writer(&b)
	write := reproducible(records)
	list := []cpio.Record{cpio.StaticFile(path.Clean("/" + name)[1:], string(content), 0o644)}
	for dir := path.Dir(list[0].Name); dir != "."; dir = path.Dir(dir) {
		list = append([]cpio.Record{cpio.Directory(dir, 0o755)}, list...)
	}
	for _, r := range list {
		if err := write(r); err != nil {
			return nil, err
		}
	}
	err := cpio.WriteTrailer(records)
	return b.Bytes(), err
}
