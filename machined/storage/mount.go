package storage

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// mount mounts device on dir, which is made if it is missing.
func mount(device, dir, kind string, flags uintptr, options string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	err := unix.Mount(device, dir, kind, flags, options)
	if errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("mount %s on %s: the kernel has no file system %s: its module is missing or not loaded (%w)", device, dir, kind, err)
	}
	if err != nil {
		return fmt.Errorf("mount %s on %s as %s: %w", device, dir, kind, err)
	}
	return nil
}

// isMounted is whether device is what is mounted on dir.
func isMounted(device, dir string) (bool, error) {
	var st unix.Stat_t
	if err := unix.Stat(device, &st); err != nil {
		return false, fmt.Errorf("stat %s: %w", device, err)
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false, err
	}
	defer f.Close()
	return mountedOn(f, dir) == fmt.Sprintf("%d:%d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev))), nil
}

// mountedOn reads mountinfo (proc_pid_mountinfo(5)) and returns MAJOR:MINOR of what was mounted on dir last; empty if
// nothing is.
func mountedOn(mountinfo io.Reader, dir string) string {
	found := ""
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) > 4 && f[4] == dir {
			found = f[2]
		}
	}
	return found
}
