package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/init/handover"
)

// Requests of linux/fs.h.
const (
	fibmap   = 1 // in: number of a block of the file; out: where it is, in blocks; 0: nowhere
	figetbsz = 2 // size of a block in bytes
)

// placeOf asks the kernel where the first size bytes of a file are on its partition. They must be in one piece.
func placeOf(f *os.File, size int) (int64, error) {
	unit, err := unix.IoctlGetInt(int(f.Fd()), figetbsz)
	if err != nil || unit <= 0 {
		return 0, fmt.Errorf("block size of %s: %w", f.Name(), err)
	}
	var first int32
	for i := range (size + unit - 1) / unit {
		number := int32(i)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), fibmap, uintptr(unsafe.Pointer(&number))); errno != 0 {
			return 0, fmt.Errorf("find %s on the disk: %w", f.Name(), errno)
		}
		if i == 0 {
			first = number
		}
		if number <= 0 || number != first+int32(i) {
			return 0, fmt.Errorf("%s is not in one piece on the disk", f.Name())
		}
	}
	return int64(first) * int64(unit), nil
}

// FirstByte asks the kernel where the first byte of a file is on its partition; 0 if the file is empty.
func FirstByte(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	return placeOf(f, 1)
}

// writeBlock writes a file of the environment at its place on BOOT; one that has none is made.
func writeBlock(boot handover.Boot, at int64, w write) error {
	if at == 0 {
		return WithBoot(boot, true, func(dir string) error { return makeFile(dir, w) })
	}
	f, sector, err := openDirect(boot.Boot, os.O_RDWR)
	if err != nil {
		return err
	}
	defer f.Close()
	return replaceSectors(f, at, w.block, sector)
}

// openDirect opens a partition and returns the size of its sectors in bytes. What is read comes from the disk, and what is
// written is only that: a sector that is in memory would be read, changed and written with its neighbours.
func openDirect(partition string, flag int) (f *os.File, sector int, err error) {
	if f, err = os.OpenFile(partition, flag|unix.O_DIRECT|unix.O_SYNC, 0); err != nil {
		return nil, 0, err
	}
	if sector, err = unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET); err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("sector size of %s: %w", partition, err)
	}
	return f, sector, nil
}

// device is a partition.
type device interface {
	io.ReaderAt
	io.WriterAt
}

// replaceSectors writes content at a place, sector by sector, those that differ, and reads it back. The first is written
// last: it has the variables.
func replaceSectors(f device, at int64, content []byte, sector int) error {
	region, begin, err := mapSectors(f, at, len(content), sector)
	if err != nil {
		return err
	}
	defer unix.Munmap(region)
	old := bytes.Clone(region)
	copy(region[at-begin:], content)
	for i := len(region) - sector; i >= 0; i -= sector {
		if bytes.Equal(region[i:i+sector], old[i:i+sector]) {
			continue
		}
		if _, err := f.WriteAt(region[i:i+sector], begin+int64(i)); err != nil {
			return fmt.Errorf("write the sector at %d: %w", begin+int64(i), err)
		}
	}
	if _, err := f.ReadAt(region, begin); err != nil {
		return fmt.Errorf("read what was written at %d: %w", begin, err)
	}
	if !bytes.Equal(region[at-begin:][:len(content)], content) {
		return errors.New("what was written is not what is read: the disk is failing")
	}
	return nil
}

// readSectors reads size bytes at a place, in whole sectors.
func readSectors(f device, at int64, size, sector int) ([]byte, error) {
	region, begin, err := mapSectors(f, at, size, sector)
	if err != nil {
		return nil, err
	}
	defer unix.Munmap(region)
	return bytes.Clone(region[at-begin:][:size]), nil
}

// mapSectors reads all sectors that size bytes at a place are in, into memory that is to be unmapped.
func mapSectors(f device, at int64, size, sector int) (region []byte, begin int64, err error) {
	begin = at / int64(sector) * int64(sector)
	end := (at + int64(size) + int64(sector) - 1) / int64(sector) * int64(sector)
	if region, err = alignedBuffer(int(end - begin)); err != nil {
		return nil, 0, err
	}
	if _, err := f.ReadAt(region, begin); err != nil {
		unix.Munmap(region)
		return nil, 0, fmt.Errorf("read %d bytes at %d: %w", len(region), begin, err)
	}
	return region, begin, nil
}

// alignedBuffer is memory that the kernel can have a disk write directly.
func alignedBuffer(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

// makeFile makes a file of the environment that is missing, or has another length.
func makeFile(dir string, w write) error {
	if len(w.block) != grubenv.Size {
		return fmt.Errorf("%d bytes are no environment", len(w.block))
	}
	folder, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.MkdirAll("coracle", 0o755); err != nil {
		return err
	}
	f, err := folder.OpenFile(w.name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(w.block)
	return errors.Join(err, f.Sync(), f.Close())
}
