package storage

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ext4Resize is EXT4_IOC_RESIZE_FS, _IOW('f', 16, __u64): grows a mounted file system to so many blocks. The kernel
// journals each step, so that a power cut leaves a file system of the old size, the new one, or between.
const ext4Resize = 0x40086610

// growFileSystem makes the file system that is mounted on dir as large as its device. It returns the size in bytes and
// what it did.
func growFileSystem(device, dir string, progress func(string)) (uint64, string, error) {
	f, err := os.Open(device)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	s, err := readSuperblock(f)
	if err != nil {
		return 0, "", err
	}
	var size uint64
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.BLKGETSIZE64, uintptr(unsafe.Pointer(&size))); errno != 0 {
		return s.size, "", fmt.Errorf("size of %s: %w", device, errno)
	}
	if size < s.size+minGrow {
		return s.size, "", nil
	}
	progress(fmt.Sprintf("growing the file system of %s to %s", device, bytesText(size)))
	root, err := os.Open(dir)
	if err != nil {
		return s.size, "", err
	}
	defer root.Close()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(root.Fd()), &fs); err != nil {
		return s.size, "", err
	}
	blocks := size / uint64(fs.Bsize)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, root.Fd(), ext4Resize, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return s.size, "", fmt.Errorf("grow the file system of %s from %s to %s: %w", device, bytesText(s.size), bytesText(size), errno)
	}
	return size, fmt.Sprintf("the file system of %s grew from %s to %s", device, bytesText(s.size), bytesText(size)), nil
}
