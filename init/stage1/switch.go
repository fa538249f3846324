package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// switchRoot makes sysroot the root and starts program in it, as PID 1. It only returns when that fails.
func switchRoot(program string) error {
	for _, dir := range []string{"/dev", "/proc", "/sys", "/run"} {
		if err := unix.Mount(dir, sysroot+dir, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s into the root: %w", dir, err)
		}
	}
	if err := freeInitramfs(); err != nil {
		return err
	}
	if err := unix.Chdir(sysroot); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("make the root the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot into the root: %w", err)
	}
	err := unix.Exec(program, []string{program}, []string{"PATH=/usr/sbin:/usr/bin", "HOME=/"})
	return fmt.Errorf("start %s: %w", program, err)
}

// freeInitramfs deletes the initramfs: its files are memory that nothing would give back. It stays on the one file
// system, and deletes only when that is one in memory.
func freeInitramfs() error {
	const ramfsMagic, tmpfsMagic = 0x858458f6, 0x01021994
	var s unix.Statfs_t
	if err := unix.Statfs("/", &s); err != nil {
		return fmt.Errorf("look at the initramfs: %w", err)
	}
	if magic := uint32(s.Type); magic != ramfsMagic && magic != tmpfsMagic {
		return nil
	}
	var root unix.Stat_t
	if err := unix.Lstat("/", &root); err != nil {
		return fmt.Errorf("look at the initramfs: %w", err)
	}
	remove("/", uint64(root.Dev))
	return nil
}

// remove empties dir, but for what is on another device. What cannot be deleted stays, at the cost of its memory.
func remove(dir string, device uint64) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		var s unix.Stat_t
		if unix.Lstat(path, &s) != nil || uint64(s.Dev) != device {
			continue
		}
		if e.IsDir() {
			remove(path, device)
		}
		os.Remove(path)
	}
}
