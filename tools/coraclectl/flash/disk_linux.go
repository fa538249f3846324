package flash

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const unmountHint = "unmount it first (umount, or the file manager)"

func isDevice(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode()&os.ModeDevice != 0
}

func inspect(path string) (Disk, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Disk{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return Disk{}, errors.New("is not a disk")
	}
	dir, err := filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)))
	if err != nil {
		return Disk{}, err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return Disk{}, err
	}
	swaps, _ := os.ReadFile("/proc/swaps") // a kernel without swap has none
	return diskAt(dir, path, string(mounts), string(swaps))
}

// diskAt reads what the kernel says of the disk whose folder in /sys is dir.
func diskAt(dir, path, mounts, swaps string) (Disk, error) {
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(dir, name))
		return strings.TrimSpace(string(text))
	}
	if read("partition") != "" {
		return Disk{}, fmt.Errorf("%w: /dev/%s", ErrPartition, filepath.Base(filepath.Dir(dir)))
	}
	sectors, err := strconv.ParseInt(read("size"), 10, 64)
	if err != nil {
		return Disk{}, fmt.Errorf("its size: %w", err)
	}
	d := Disk{
		Path: path, Size: sectors * 512, // whatever the size of its sectors is
		ReadOnly: read("ro") == "1",
		// The kernel does not call a card removable that sits in a reader of its own.
		Removable: read("removable") == "1" || read("device/type") == "SD",
		Model:     strings.Join(strings.Fields(read("device/vendor")+" "+read("device/model")+" "+read("device/name")), " "),
	}
	numbers := map[string]string{read("dev"): filepath.Base(dir)} // major:minor → name, of the disk and its partitions
	parts, _ := filepath.Glob(filepath.Join(dir, "*", "partition"))
	for _, p := range parts {
		name := filepath.Base(filepath.Dir(p))
		numbers[read(filepath.Join(name, "dev"))] = name
	}
	for _, name := range numbers {
		holder := name
		if name == filepath.Base(dir) {
			holder = "."
		}
		holders, _ := os.ReadDir(filepath.Join(dir, holder, "holders"))
		for _, h := range holders {
			d.InUse = append(d.InUse, fmt.Sprintf("%s is part of %s", name, h.Name()))
		}
		for line := range strings.Lines(swaps) {
			if strings.HasPrefix(line, "/dev/"+name+" ") {
				d.InUse = append(d.InUse, name+" is swap")
			}
		}
	}
	lines := bufio.NewScanner(strings.NewReader(mounts))
	for lines.Scan() {
		// 36 35 98:0 /root /mount/point options … (proc_pid_mountinfo(5))
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		if name, ok := numbers[fields[2]]; ok {
			d.InUse = append(d.InUse, name+" is mounted on "+fields[4])
		}
	}
	return d, nil
}

// device is a disk of Linux.
type device struct{ *os.File }

func (d Disk) open() (Target, error) {
	// O_EXCL without O_CREATE: nobody else can mount it meanwhile (open(2)).
	f, err := os.OpenFile(d.Path, os.O_RDWR|unix.O_EXCL, 0)
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

func (d device) Uncache() error {
	if err := unix.IoctlSetInt(int(d.Fd()), unix.BLKFLSBUF, 0); err != nil {
		return fmt.Errorf("drop what the kernel remembers of the disk: %w", err)
	}
	return nil
}

// Close lets the kernel look for the new partitions.
func (d device) Close() error {
	unix.IoctlSetInt(int(d.Fd()), unix.BLKRRPART, 0) // udev does it too; that somebody is faster is no error
	return d.File.Close()
}
