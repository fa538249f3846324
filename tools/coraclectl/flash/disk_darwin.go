package flash

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const unmountHint = "unmount it first: diskutil unmountDisk DISK"

func isDevice(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode()&os.ModeDevice != 0
}

// diskName is diskN of /dev/diskN and /dev/rdiskN.
func diskName(path string) string { return strings.TrimPrefix(filepath.Base(path), "r") }

func inspect(path string) (Disk, error) {
	name := diskName(path)
	out, err := exec.Command("diskutil", "info", "-plist", name).Output()
	if err != nil {
		return Disk{}, fmt.Errorf("diskutil info %s: %w", name, err)
	}
	facts, err := parsePlist(bytes.NewReader(out))
	if err != nil {
		return Disk{}, err
	}
	if facts["WholeDisk"] != "true" {
		return Disk{}, fmt.Errorf("%w: /dev/%s", ErrPartition, facts["ParentWholeDisk"])
	}
	d := Disk{
		Path: path, Model: facts["MediaName"],
		Removable: facts["RemovableMediaOrExternalDevice"] == "true" && facts["Internal"] != "true" || facts["RemovableMedia"] == "true",
		ReadOnly:  facts["WritableMedia"] == "false",
	}
	if d.Size, err = strconv.ParseInt(facts["TotalSize"], 10, 64); err != nil {
		return Disk{}, fmt.Errorf("its size: %w", err)
	}
	d.InUse, err = mountedFrom(name)
	return d, err
}

// mountedFrom lists what is mounted of a disk.
func mountedFrom(name string) ([]string, error) {
	n, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	mounts := make([]unix.Statfs_t, n)
	if n, err = unix.Getfsstat(mounts, unix.MNT_NOWAIT); err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	var list []string
	for _, m := range mounts[:n] {
		from := unix.ByteSliceToString(m.Mntfromname[:])
		if from == "/dev/"+name || strings.HasPrefix(from, "/dev/"+name+"s") {
			list = append(list, from+" is mounted on "+unix.ByteSliceToString(m.Mntonname[:]))
		}
	}
	return list, nil
}

// device is a disk of macOS, opened as the one that is not cached.
type device struct{ *os.File }

func (d Disk) open() (Target, error) {
	f, err := os.OpenFile("/dev/r"+diskName(d.Path), os.O_RDWR, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("%w; %s", err, unmountHint)
	}
	if errors.Is(err, unix.EACCES) {
		return nil, fmt.Errorf("%w; run it with sudo", err)
	}
	if err != nil {
		return nil, err
	}
	return device{f}, nil
}

// Sync has the drive write what it has in its cache. F_FULLFSYNC, which os.File.Sync does, is for files only.
func (d device) Sync() error {
	const synchronizeCache = 0x20006416 // DKIOCSYNCHRONIZECACHE of sys/disk.h
	err := unix.IoctlSetInt(int(d.Fd()), synchronizeCache, 0)
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.ENOTSUP) {
		return nil // it has no cache
	}
	return err
}

// Uncache has nothing to do: the raw device is not cached.
func (device) Uncache() error { return nil }
