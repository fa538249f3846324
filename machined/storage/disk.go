package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"github.com/coracle-os/coracle/machined/storage/partitions"
	"golang.org/x/sys/unix"
)

// disk is the whole disk, open for reading and writing while its partitions are in use.
type disk struct {
	*os.File
	size   int64 // bytes
	sector int   // bytes
}

func openDisk(path string) (*disk, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	d := &disk{File: f}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.BLKGETSIZE64, uintptr(unsafe.Pointer(&d.size))); errno != 0 {
		f.Close()
		return nil, fmt.Errorf("size of %s: %w", path, errno)
	}
	if d.sector, err = unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET); err != nil {
		f.Close()
		return nil, fmt.Errorf("sector size of %s: %w", path, err)
	}
	return d, nil
}

// extent is where the kernel has a partition, in bytes.
type extent struct{ start, size uint64 }

// blkpg is one thing to tell the kernel about a disk's partitions.
type blkpg struct {
	op     int32
	number int
	extent extent
}

// tellKernel is what to tell a kernel that has the partitions known, so that it has those of t. A kernel that has a
// partition elsewhere cannot be told while that is in use.
func tellKernel(t *partitions.Table, known map[int]extent) ([]blkpg, error) {
	var ops []blkpg
	for i, p := range t.Partitions {
		if !p.Used() {
			continue
		}
		want := extent{p.First * t.SectorSize, p.Sectors() * t.SectorSize}
		switch got, ok := known[i+1]; {
		case !ok:
			ops = append(ops, blkpg{unix.BLKPG_ADD_PARTITION, i + 1, want})
		case got.start != want.start:
			return nil, fmt.Errorf("the kernel has partition %d at byte %d, the partition table at %d; reboot the machine", i+1, got.start, want.start)
		case got.size != want.size:
			ops = append(ops, blkpg{unix.BLKPG_RESIZE_PARTITION, i + 1, want})
		}
	}
	return ops, nil
}

// apply tells the kernel op. The disk is in use, so the kernel would refuse to read the table again (BLKRRPART).
func (d *disk) apply(op blkpg) error {
	p := unix.BlkpgPartition{Start: int64(op.extent.start), Length: int64(op.extent.size), Pno: int32(op.number)}
	arg := unix.BlkpgIoctlArg{Op: op.op, Datalen: int32(unsafe.Sizeof(p)), Data: (*byte)(unsafe.Pointer(&p))}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, d.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg))); errno != 0 {
		return fmt.Errorf("tell the kernel of partition %d of %s (%d bytes at %d): %w", op.number, d.Name(), op.extent.size, op.extent.start, errno)
	}
	return nil
}

// sysBlock is the directory of the disk at path in sysfs.
func sysBlock(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Join("/sys/class/block", strings.ReplaceAll(strings.TrimPrefix(real, "/dev/"), "/", "!")), nil
}

// kernelPartitions lists the partitions that the kernel has on the disk at path, and their devices.
func kernelPartitions(path string) (map[int]extent, map[int]string, error) {
	dir, err := sysBlock(path)
	if err != nil {
		return nil, nil, err
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "partition"))
	if err != nil {
		return nil, nil, err
	}
	extents, devices := map[int]extent{}, map[int]string{}
	for _, file := range found {
		dir := filepath.Dir(file)
		number, err := readNumber(file)
		if err != nil {
			return nil, nil, err
		}
		start, err := readNumber(filepath.Join(dir, "start"))
		if err != nil {
			return nil, nil, err
		}
		size, err := readNumber(filepath.Join(dir, "size"))
		if err != nil {
			return nil, nil, err
		}
		extents[int(number)] = extent{start * 512, size * 512} // sysfs counts 512 bytes whatever the sector size
		devices[int(number)] = "/dev/" + strings.ReplaceAll(filepath.Base(dir), "!", "/")
	}
	return extents, devices, nil
}

func readNumber(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
}
