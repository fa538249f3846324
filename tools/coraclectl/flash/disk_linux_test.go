package flash

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sys makes a folder as the kernel has it for a disk.
func sys(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "sdb")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDiskAt(t *testing.T) {
	stick := map[string]string{
		"dev": "8:16", "size": "15728640", "removable": "1", "ro": "0", "device/vendor": "SanDisk ", "device/model": "Ultra   ",
		"sdb1/partition": "1", "sdb1/dev": "8:17", "sdb2/partition": "2", "sdb2/dev": "8:18",
	}
	with := func(more map[string]string) map[string]string {
		all := map[string]string{}
		for _, m := range []map[string]string{stick, more} {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	const other = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
	for name, tc := range map[string]struct {
		files         map[string]string
		mounts, swaps string
		removable     bool
		inUse         []string
	}{
		"a stick":            {stick, other, "", true, nil},
		"mounted":            {stick, other + "40 22 8:17 / /media/me/BOOT\\040A rw - vfat /dev/sdb1 rw\n", "", true, []string{`sdb1 is mounted on /media/me/BOOT\040A`}},
		"as a whole":         {stick, "40 22 8:16 / /mnt rw - vfat /dev/sdb rw\n", "", true, []string{"sdb is mounted on /mnt"}},
		"swap":               {stick, other, "Filename Type\n/dev/sdb2                               partition 1 0 -2\n", true, []string{"sdb2 is swap"}},
		"part of a RAID":     {with(map[string]string{"sdb2/holders/md0": ""}), other, "", true, []string{"sdb2 is part of md0"}},
		"with LUKS on it":    {with(map[string]string{"holders/dm-0": ""}), other, "", true, []string{"sdb is part of dm-0"}},
		"a built-in disk":    {with(map[string]string{"removable": "0"}), other, "", false, nil},
		"a card in its slot": {with(map[string]string{"removable": "0", "device/type": "SD"}), other, "", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := diskAt(sys(t, tc.files), "/dev/sdb", tc.mounts, tc.swaps)
			if err != nil {
				t.Fatal(err)
			}
			if d.Size != 15728640*512 || d.Model != "SanDisk Ultra" || d.Removable != tc.removable || d.ReadOnly || !slices.Equal(d.InUse, tc.inUse) {
				t.Errorf("got %+v", d)
			}
		})
	}
	part := sys(t, map[string]string{"partition": "1", "size": "1"})
	if _, err := diskAt(part, "/dev/sdb1", "", ""); !errors.Is(err, ErrPartition) || !strings.Contains(err.Error(), "/dev/") {
		t.Errorf("a partition: %v", err)
	}
}

// loopDevice makes a block device of a file of so many bytes.
func loopDevice(t *testing.T, size int64) (device, file string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	loops, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no loop devices here: %v", err)
	}
	defer loops.Close()
	n, err := unix.IoctlRetInt(int(loops.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		t.Skipf("no loop devices here: %v", err)
	}
	backing, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer backing.Close()
	if err := backing.Truncate(size); err != nil {
		t.Fatal(err)
	}
	device = fmt.Sprintf("/dev/loop%d", n)
	loop, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no loop devices here: %v", err)
	}
	defer loop.Close()
	if err := unix.IoctlLoopConfigure(int(loop.Fd()), &unix.LoopConfig{Fd: uint32(backing.Fd())}); err != nil {
		t.Skipf("no loop devices here: %v", err)
	}
	t.Cleanup(func() {
		if f, err := os.Open(device); err == nil {
			unix.IoctlSetInt(int(f.Fd()), unix.LOOP_CLR_FD, 0)
			f.Close()
		}
	})
	return device, backing.Name()
}

func TestRealDevice(t *testing.T) {
	device, backing := loopDevice(t, 700*mib)
	i, err := Open(store(t, newImage(t), true))
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if err := i.PutConfig([]byte("kind: MachineConfig\n")); err != nil {
		t.Fatal(err)
	}
	disk, err := Inspect(device)
	if err != nil || disk.Size != 700*mib || disk.Removable || disk.File || disk.Check(i.Need()) != nil {
		t.Fatalf("%+v, %v, %v", disk, err, disk.Check(i.Need()))
	}
	target, err := disk.Open()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := disk.Open(); !errors.Is(err, unix.EBUSY) {
		t.Errorf("opened twice: %v, %v", second, err)
	}
	if _, err := Write(t.Context(), i, target, quiet); err != nil {
		t.Error(err)
	}
	if err := target.Close(); err != nil {
		t.Error(err)
	}
	got, err := os.ReadFile(backing)
	if err != nil || readFAT(t, got[bootOffset:bootOffset+bootSize], "/machine.yaml") != "kind: MachineConfig\n" {
		t.Errorf("what is on the disk: %v", err)
	}
}
