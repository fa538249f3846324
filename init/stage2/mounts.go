package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mount is one line of the table of mounts.
type mount struct {
	kind, target, options string
	flags                 uintptr
	perm                  os.FileMode // of the directory, where it has to be made; 0: it is there
}

const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// mounts is what is mounted, in order. /proc, /sys, /dev and /run come from stage 1; /var is machined's. securityfs is
// left out on purpose: with it containerd takes AppArmor for usable, whose parser the image does not have.
var mounts = []mount{
	{"devpts", "/dev/pts", "gid=5,mode=0620,ptmxmode=0666", unix.MS_NOSUID | unix.MS_NOEXEC, 0o755},
	{"tmpfs", "/dev/shm", "mode=1777", quiet, 0o1777},
	{"tmpfs", "/tmp", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV, 0},
	{"cgroup2", cgroupRoot, "nsdelegate,memory_recursiveprot", quiet, 0},
	{"bpf", "/sys/fs/bpf", "mode=0700", quiet, 0},
}

func mountAll() error {
	// Mounts of pods have to be seen by all, and theirs by them (mount propagation "shared"), as under any
	// init; the kernel's default is private.
	var errs []error
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		errs = append(errs, fmt.Errorf("make the root's mounts shared: %w", err))
	}
	for _, m := range mounts {
		errs = append(errs, m.do())
	}
	return errors.Join(errs...)
}

func (m mount) do() error {
	if m.perm != 0 {
		if err := os.Mkdir(m.target, m.perm); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	if err := unix.Mount(m.kind, m.target, m.kind, m.flags, m.options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.kind, m.target, err)
	}
	return nil
}

// deviceLinks are the names that programs expect in /dev and the kernel does not make.
var deviceLinks = []struct{ name, target string }{
	{"/dev/fd", "/proc/self/fd"},
	{"/dev/stdin", "/proc/self/fd/0"},
	{"/dev/stdout", "/proc/self/fd/1"},
	{"/dev/stderr", "/proc/self/fd/2"},
}

func linkDevices() error {
	var errs []error
	for _, l := range deviceLinks {
		if err := os.Symlink(l.target, l.name); err != nil && !errors.Is(err, os.ErrExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
