package storage

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/coracle-os/coracle/init/handover"
	"golang.org/x/sys/unix"
)

// bootDir is where BOOT is mounted while it is needed. Others of its name: none, as bootLock is held meanwhile.
const bootDir = "/run/coracle/boot"

var bootLock sync.Mutex

// WithBoot mounts the BOOT partition (FAT), calls do with the directory that it is mounted on, and unmounts it. When
// readwrite is set everything written is on the disk when WithBoot returns nil. FAT has no journal: write
// little, whole files, and sync what matters.
func WithBoot(boot handover.Boot, readwrite bool, do func(dir string) error) error {
	if boot.Boot == "" {
		return ErrNoDisk
	}
	return BootAlone(func() (err error) {
		if err := mountBoot(boot.Boot, readwrite); err != nil {
			return err
		}
		defer func() {
			if unmounted := unmountSynced(bootDir, readwrite); unmounted != nil {
				err = errors.Join(err, fmt.Errorf("BOOT (%s): %w", boot.Boot, unmounted))
			}
		}()
		return do(bootDir)
	})
}

// BootAlone calls do while machined has BOOT not mounted, and nobody else in machined changes it.
func BootAlone(do func() error) error {
	bootLock.Lock()
	defer bootLock.Unlock()
	// A machined that was killed may have left it mounted.
	for unix.Unmount(bootDir, unix.MNT_DETACH) == nil {
	}
	return do()
}

// mountBoot mounts BOOT, also when a pod has it mounted too: the kernel has one state of a file system, read-only or not, for
// all who mount it, and refuses to mount it in another.
func mountBoot(device string, readwrite bool) error {
	// Names as the FAT driver needs them without a character set of its own to load; only root reads it.
	const options = "umask=0077"
	const flags uintptr = unix.MS_NOATIME | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	mode := map[bool]uintptr{false: unix.MS_RDONLY, true: 0}
	err := mount(device, bootDir, "vfat", flags|mode[readwrite], options)
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if err := mount(device, bootDir, "vfat", flags|mode[!readwrite], options); err != nil {
		return err
	}
	if !readwrite {
		return nil
	}
	if err := unix.Mount("", bootDir, "", unix.MS_REMOUNT|flags, options); err != nil {
		return errors.Join(fmt.Errorf("BOOT (%s) is mounted read-only elsewhere, and cannot be made writable: %w", device, err), unix.Unmount(bootDir, unix.MNT_DETACH))
	}
	return nil
}

func unmountSynced(dir string, written bool) error {
	var problems []error
	if written {
		problems = append(problems, syncFileSystem(dir))
	}
	if err := unix.Unmount(dir, 0); err != nil {
		problems = append(problems, fmt.Errorf("unmount %s: %w", dir, err), unix.Unmount(dir, unix.MNT_DETACH))
	}
	return errors.Join(problems...)
}

func syncFileSystem(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
