package storage

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Space is how full a file system is.
type Space struct {
	Size, Free         uint64 // bytes
	Inodes, FreeInodes uint64
	ReadOnly           bool // the kernel met errors in it
}

// Usage says how full DATA is, which is on device.
func Usage(device string) (Space, error) { return usage(varDir, "/sys/fs/ext4", device) }

func usage(dir, sys, device string) (Space, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return Space{}, fmt.Errorf("statfs %s: %w", dir, err)
	}
	block := uint64(fs.Bsize)
	return Space{
		Size: fs.Blocks * block, Free: fs.Bavail * block, Inodes: fs.Files, FreeInodes: fs.Ffree,
		ReadOnly: fs.Flags&unix.ST_RDONLY != 0 || metErrors(sys, device),
	}, nil
}

// metErrors is whether the kernel met errors in the file system on device since e2fsck last repaired it. Since Linux 6.12
// errors=remount-ro makes it refuse writes without the flag that statfs(2) shows.
func metErrors(sys, device string) bool {
	name := strings.ReplaceAll(strings.TrimPrefix(device, "/dev/"), "/", "!")
	n, err := readNumber(filepath.Join(sys, name, "errors_count"))
	return err == nil && n > 0
}

func percent(size, free uint64) int {
	if size == 0 {
		return 0
	}
	return int((size - min(free, size)) * 100 / size)
}

// fullPercent is where a person should know. The kubelet evicts pods and removes images at 85 to 90 %.
const fullPercent = 92

// Problem says in words what is wrong, empty if nothing is. It is the same while the percentage is, as consoles print what
// is different.
func (s Space) Problem() string {
	switch {
	case s.ReadOnly:
		return "DATA is read-only since the kernel met errors on it: reboot, which checks and repairs it; if that happens again the disk is failing"
	case percent(s.Size, s.Free) >= fullPercent:
		return fmt.Sprintf("%d %% of DATA's %s are full: remove workloads or volumes, or use a larger disk", percent(s.Size, s.Free), bytesText(s.Size))
	case percent(s.Inodes, s.FreeInodes) >= fullPercent:
		return fmt.Sprintf("DATA has room for few more files: %d %% of its inodes are used; remove workloads or volumes", percent(s.Inodes, s.FreeInodes))
	}
	return ""
}
