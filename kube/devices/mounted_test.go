package devices

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sysfs is that of a machine that runs from a stick behind a hub, with dm-verity, and has another one and a serial adapter.
func sysfs(t *testing.T) string {
	t.Helper()
	sys := t.TempDir()
	const bus = "devices/pci0000:00/0000:00:02.0/usb1"
	for name, content := range map[string]string{
		bus + "/busnum": "1\n", bus + "/devnum": "1\n",
		bus + "/1-1/busnum": "1\n", bus + "/1-1/devnum": "2\n",
		bus + "/1-1/1-1.4/busnum": "1\n", bus + "/1-1/1-1.4/devnum": "17\n",
		bus + "/1-1/1-1.4/1-1.4:1.0/host0/block/sda/sda2/partition": "2\n",
		bus + "/1-1/1-1.4/1-1.4:1.0/host0/block/sda/sda4/partition": "4\n",
		bus + "/1-2/busnum": "1\n", bus + "/1-2/devnum": "3\n",
		bus + "/1-2/1-2:1.0/host1/block/sdb/sdb1/partition": "1\n",
		bus + "/1-3/busnum": "1\n", bus + "/1-3/devnum": "4\n",
		"devices/virtual/block/dm-0/size": "1000\n",
	} {
		file := filepath.Join(sys, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	const stick = bus + "/1-1/1-1.4/1-1.4:1.0/host0/block/sda"
	for link, target := range map[string]string{
		"dev/block/8:2":                          stick + "/sda2",
		"dev/block/8:4":                          stick + "/sda4",
		"dev/block/8:17":                         bus + "/1-2/1-2:1.0/host1/block/sdb/sdb1",
		"dev/block/253:0":                        "devices/virtual/block/dm-0",
		"devices/virtual/block/dm-0/slaves/sda2": stick + "/sda2",
	} {
		file := filepath.Join(sys, link)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.Symlink(filepath.Join(sys, target), file)); err != nil {
			t.Fatal(err)
		}
	}
	return sys
}

func TestMounted(t *testing.T) {
	sys := sysfs(t)
	const (
		tmpfs = "22 1 0:20 / /run rw - tmpfs run rw\n"
		root  = "20 1 253:0 / / ro - erofs /dev/dm-0 ro\n"
		data  = "21 1 8:4 / /var rw - ext4 /dev/sda4 rw\n"
		other = "23 1 8:17 / /mnt/a\\040disk rw - ext4 /dev/sdb1 rw\n"
	)
	stick := []string{"bus/usb/001/001", "bus/usb/001/002", "bus/usb/001/017"}
	for name, tc := range map[string]struct {
		mountinfo string
		want      []string
	}{
		"nothing at USB":  {tmpfs, nil},
		"through verity":  {root, stick},
		"directly":        {tmpfs + data, stick},
		"more than once":  {root + data + data, stick},
		"another stick":   {other, []string{"bus/usb/001/001", "bus/usb/001/003"}},
		"one that's gone": {"20 1 8:33 / / rw - ext4 /dev/sdc1 rw\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Config{Sys: sys, Mountinfo: text(t, tc.mountinfo)}.mounted()
			if names := slices.Sorted(maps.Keys(got)); err != nil || !slices.Equal(names, tc.want) {
				t.Errorf("got %v, %v, want %v", names, err, tc.want)
			}
		})
	}
	if _, err := (Config{Sys: sys, Mountinfo: text(t, "torn")}).mounted(); err == nil {
		t.Error("a torn line is taken")
	}
}

// TestKeptBack has a pod get what is at USB, but for the disk that is mounted; and nothing, if that cannot be known.
func TestKeptBack(t *testing.T) {
	dev := t.TempDir()
	for _, name := range []string{"bus/usb/001/001", "bus/usb/001/002", "bus/usb/001/017", "bus/usb/001/004"} {
		plug(t, dev, name)
	}
	c := Config{
		Dev: dev, Sys: sysfs(t), Mountinfo: text(t, "21 1 8:4 / /var rw - ext4 /dev/sda4 rw\n"), Folders: t.TempDir(),
		IsDevice: fs.FileMode.IsRegular, Clone: os.Link,
	}
	usb := resource(t, "usb")
	adapter := []string{"bus/usb/001/004"}
	if got, err := c.nodes(usb); err != nil || !slices.Equal(got, adapter) {
		t.Errorf("got %v, %v, want the adapter alone", got, err)
	}
	plug(t, c.Folders, "bus/usb/001/017") // of before it was mounted
	for range 2 {
		all, err := c.all(usb)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.fillFolder(usb, all); err != nil {
			t.Fatal(err)
		}
		if got := files(t, c.Folders); !slices.Equal(got, adapter) {
			t.Errorf("containers get %v, want the adapter alone", got)
		}
	}
	c.Mountinfo = filepath.Join(dev, "missing")
	if got, err := c.nodes(usb); err == nil || got != nil || !strings.Contains(err.Error(), "coracle.dev/usb") {
		t.Errorf("got %v, %v without the list of mounts", got, err)
	}
}

func TestClone(t *testing.T) {
	clone := filepath.Join(t.TempDir(), "null")
	if err := (Config{}).clone("/dev/null", clone); errors.Is(err, fs.ErrPermission) {
		t.Skip("only root makes device nodes")
	} else if err != nil {
		t.Fatal(err)
	}
	var node, copied unix.Stat_t
	if err := errors.Join(unix.Stat("/dev/null", &node), unix.Stat(clone, &copied)); err != nil {
		t.Fatal(err)
	}
	if copied.Rdev != node.Rdev || copied.Mode&unix.S_IFMT != unix.S_IFCHR {
		t.Errorf("the clone is %o, %d, of %o, %d", copied.Mode, copied.Rdev, node.Mode, node.Rdev)
	}
}

func text(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
