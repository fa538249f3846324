package storage

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Space is how full a file system is.
type Space struct {
	Size, Free         uint64 // bytes
	Inodes, FreeInodes uint64
	ReadOnly           bool // the kernel met errors in it, or it is meant to be
}

// Usage says how full DATA is.
func Usage() (Space, error) { return usage(varDir) }

func usage(dir string) (Space, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return Space{}, fmt.Errorf("statfs %s: %w", dir, err)
	}
	block := uint64(fs.Bsize)
	return Space{
		Size: fs.Blocks * block, Free: fs.Bavail * block, Inodes: fs.Files, FreeInodes: fs.Ffree,
		ReadOnly: fs.Flags&unix.ST_RDONLY != 0,
	}, nil
}

// Percent is how much of the space is used, or of the inodes if that is more.
func (s Space) Percent() int {
	return max(percent(s.Size, s.Free), percent(s.Inodes, s.FreeInodes))
}

func percent(size, free uint64) int {
	if size == 0 {
		return 0
	}
	return int((size - min(free, size)) * 100 / size)
}

// fullPercent is where a person should know. The kubelet evicts pods and removes images at 85 to 90 %.
const fullPercent = 92

// Problem says in words what is wrong, empty if nothing is.
func (s Space) Problem() string {
	switch {
	case s.ReadOnly:
		return "DATA is read-only since the kernel met errors on it: reboot, which checks and repairs it; if that happens again the disk is failing"
	case percent(s.Size, s.Free) >= fullPercent:
		return fmt.Sprintf("DATA is %d %% full, %s of %s are free: remove workloads or volumes, or use a larger disk", percent(s.Size, s.Free), bytesText(s.Free), bytesText(s.Size))
	case percent(s.Inodes, s.FreeInodes) >= fullPercent:
		return fmt.Sprintf("DATA has room for %d more files only (%d %% of its inodes are used): remove workloads or volumes", s.FreeInodes, percent(s.Inodes, s.FreeInodes))
	}
	return ""
}
