package storage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	mediaDir   = "/run/coracle/media"
	mediaLabel = "CORACLE"
)

// MountMedia mounts the first volume labelled CORACLE (FAT, ext4 or ISO 9660) read-only on /run/coracle/media and
// returns that directory; empty when no such volume is attached. It may be called again.
func MountMedia(ctx context.Context) (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	mounted := mountedOn(f, mediaDir) != ""
	f.Close()
	if mounted {
		return mediaDir, nil
	}
	device, kind, err := FindLabel(ctx, mediaLabel)
	if err != nil || device == "" {
		return "", err
	}
	options := ""
	if kind == "ext4" {
		options = "noload" // a journal to replay would be a write
	}
	err = mount(device, mediaDir, kind, unix.MS_RDONLY|unix.MS_NOATIME|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, options)
	if err != nil {
		return "", err
	}
	return mediaDir, nil
}

// FindLabel looks for a block device, a whole disk or a partition, whose file system has that label, upper or lower
// case. It returns the device and the kind of its file system as mount(2) takes it; both empty when there is none.
func FindLabel(ctx context.Context, label string) (device, kind string, err error) {
	entries, err := os.ReadDir("/sys/class/block")
	if err != nil {
		return "", "", fmt.Errorf("list block devices: %w", err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return "", "", err
		}
		// Neither what the system itself stacked nor what is empty.
		if slices.ContainsFunc([]string{"loop", "ram", "zram", "dm-", "md"}, func(prefix string) bool { return strings.HasPrefix(e.Name(), prefix) }) {
			continue
		}
		if size, err := readNumber(filepath.Join("/sys/class/block", e.Name(), "size")); err != nil || size == 0 {
			continue
		}
		path := "/dev/" + strings.ReplaceAll(e.Name(), "!", "/")
		f, err := os.Open(path)
		if err != nil { // a drive without a medium
			continue
		}
		v := probe(f)
		f.Close()
		if v.kind != "" && strings.EqualFold(v.label, label) {
			return path, v.kind, nil
		}
	}
	return "", "", nil
}
