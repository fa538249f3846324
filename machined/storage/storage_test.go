package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/machined/storage/partitions"
	"golang.org/x/sys/unix"
)

// These tests work on a loop device, with the kernel's partitions and ext4 and with e2fsprogs.

// attach makes a loop device of file and returns its path.
func attach(t *testing.T, file string) string {
	t.Helper()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no loop devices: %v", err)
	}
	defer control.Close()
	backing, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer backing.Close()
	for range 10 { // somebody else may take the free one
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			t.Skipf("no free loop device: %v", err)
		}
		path := fmt.Sprintf("/dev/loop%d", n)
		loop, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Skip(err)
		}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &unix.LoopConfig{
			Fd: uint32(backing.Fd()), Size: 512, Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_PARTSCAN},
		})
		loop.Close()
		if err == unix.EBUSY {
			continue
		}
		if err != nil {
			t.Skipf("%s: %v", path, err)
		}
		return path
	}
	t.Skip("no free loop device")
	return ""
}

func detach(t *testing.T, path string) {
	t.Helper()
	loop, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, devices, _ := kernelPartitions(path)
	for number := range devices {
		(&disk{File: loop}).apply(blkpg{op: unix.BLKPG_DEL_PARTITION, number: number})
	}
	unix.IoctlSetInt(int(loop.Fd()), unix.LOOP_CLR_FD, 0)
	loop.Close()
	// Freed once the last user is gone, which the kernel does on its own time.
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join("/sys/class/block", filepath.Base(path), "loop")); err != nil {
			return
		}
	}
	t.Errorf("%s stays in use", path)
}

// machine is a disk file that can be booted over and over.
type machine struct {
	t    *testing.T
	file string
	disk string // loop device while booted
	data string // mount point

	formatted bool // the last boot made DATA's file system
}

func newMachine(t *testing.T, sizeMiB int64) *machine {
	t.Helper()
	return newMachineWith(t, sizeMiB, func(f *os.File) error {
		return makeTable(t, uint64(sizeMiB), flashed...).Write(file{f}, partitions.Health{})
	})
}

// newMachineWith makes a machine with the partition table that write writes.
func newMachineWith(t *testing.T, sizeMiB int64, write func(*os.File) error) *machine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	for _, program := range []string{mkfsPath, e2fsckPath} {
		if _, err := os.Stat(program); err != nil {
			t.Skip(err)
		}
	}
	m := &machine{t: t, file: filepath.Join(t.TempDir(), "disk"), data: filepath.Join(t.TempDir(), "var")}
	f, err := os.Create(m.file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(sizeMiB * mib); err != nil {
		t.Fatal(err)
	}
	if err := write(f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.down)
	return m
}

// file skips what only costs time in a test.
type file struct{ *os.File }

func (file) Sync() error { return nil }

func (m *machine) boot() (Report, error) {
	m.t.Helper()
	if m.disk == "" {
		m.disk = attach(m.t, m.file)
	}
	m.formatted = false
	return prepare(context.Background(), m.disk, m.data, func(s string) {
		m.t.Log("progress:", s)
		m.formatted = m.formatted || strings.HasPrefix(s, "making the file system")
	})
}

func (m *machine) mustBoot() Report {
	m.t.Helper()
	r, err := m.boot()
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Logf("%+v", r)
	return r
}

func (m *machine) down() {
	m.t.Helper()
	if m.disk == "" {
		return
	}
	unix.Unmount(m.data, 0)
	detach(m.t, m.disk)
	m.disk = ""
}

func (m *machine) write(name, content string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.data, name), []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) read(name string) string {
	m.t.Helper()
	b, err := os.ReadFile(filepath.Join(m.data, name))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(b)
}

// change edits the disk file while the machine is off.
func (m *machine) change(edit func(f *os.File, data int64)) {
	m.t.Helper()
	f, err := os.OpenFile(m.file, os.O_RDWR, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	edit(f, 577*mib)
}

func TestFirstBootAndLater(t *testing.T) {
	m := newMachine(t, 2048)
	if r := m.mustBoot(); !m.formatted || len(r.Notes) != 2 || r.Size != 1470*mib {
		t.Errorf("first boot: %+v", r)
	}
	for _, d := range directories {
		if st, err := os.Stat(filepath.Join(m.data, d.path)); err != nil || st.Mode()&^os.ModeDir != d.mode {
			t.Errorf("%s: %v, %v", d.path, st.Mode(), err)
		}
	}
	m.write("lib/coracle/clock", "kept")
	if r := m.mustBoot(); m.formatted || len(r.Notes) > 0 {
		t.Errorf("machined restarted: %+v", r)
	}
	m.down()
	if out, err := exec.Command("sgdisk", "-v", m.file).CombinedOutput(); !errors.Is(err, exec.ErrNotFound) && (err != nil || !strings.Contains(string(out), "No problems found")) {
		t.Errorf("sgdisk -v: %v\n%s", err, out)
	}
	if r := m.mustBoot(); m.formatted || len(r.Notes) > 0 || m.read("lib/coracle/clock") != "kept" {
		t.Errorf("second boot: %+v", r)
	}
	m.down()

	if err := os.Truncate(m.file, 4096*mib); err != nil {
		t.Fatal(err)
	}
	r := m.mustBoot()
	if m.formatted || len(r.Notes) != 2 || m.read("lib/coracle/clock") != "kept" {
		t.Errorf("after the disk grew: %+v", r)
	}
	if slices.ContainsFunc(r.Notes, func(s string) bool { return strings.Contains(s, unix.EPERM.Error()) }) {
		t.Skip("growing a mounted file system needs CAP_SYS_RESOURCE")
	}
	if space, err := usage(m.data, "/sys/fs/ext4", r.Device); err != nil || r.Size != 3518*mib || space.Size < 3300*mib || space.Problem() != "" {
		t.Errorf("%+v, usage: %+v, %v", r, space, err)
	}
	device := r.Device
	if err := unix.Unmount(m.data, 0); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(e2fsckPath, "-f", "-n", device).CombinedOutput(); err != nil {
		t.Errorf("e2fsck -f -n: %v\n%s", err, out)
	}
	if r := m.mustBoot(); len(r.Notes) > 0 {
		t.Errorf("after it has grown: %+v", r)
	}
}

// TestMakeAnew shows a first boot that a power cut interrupted, too: the partition looks the same then.
func TestMakeAnew(t *testing.T) {
	m := newMachine(t, 2048)
	m.mustBoot()
	m.write("old", "from before")
	if err := makeAnew(m.disk); err != nil {
		t.Fatal(err)
	}
	if m.mustBoot(); m.formatted || m.read("old") != "from before" {
		t.Error("machined started again, and DATA is made anew while it is in use")
	}
	m.down()
	if r := m.mustBoot(); !m.formatted {
		t.Errorf("not made again: %+v", r)
	}
	if _, err := os.Stat(filepath.Join(m.data, "old")); err == nil {
		t.Error("the older file system is still there")
	}
	m.down()
	if r := m.mustBoot(); m.formatted {
		t.Errorf("made again: %+v", r)
	}
}

// TestMBR has a Raspberry Pi's card through first boot, a card's copy on a larger one, reset, and a file system of somebody else.
func TestMBR(t *testing.T) {
	m := newMachineWith(t, 2048, func(f *os.File) error {
		_, err := f.WriteAt(makeMBR(flashedCard...)[:], 0)
		return err
	})
	if r := m.mustBoot(); !m.formatted || len(r.Notes) != 2 || r.Size != 1471*mib {
		t.Errorf("first boot: %+v", r)
	}
	m.write("kept", "kept")
	if r := m.mustBoot(); m.formatted || len(r.Notes) > 0 {
		t.Errorf("machined restarted: %+v", r)
	}
	boot := handover.Boot{Disk: m.disk, Slot: "a", SlotDevice: m.disk + "p2"}
	for slot, want := range map[string]string{"a": m.disk + "p2", "b": m.disk + "p3"} {
		if got, err := SlotDevice(boot, slot); err != nil || got != want {
			t.Errorf("slot %s is %q, %v; want %s", slot, got, err, want)
		}
	}
	m.down()
	if err := os.Truncate(m.file, 4096*mib); err != nil {
		t.Fatal(err)
	}
	if r := m.mustBoot(); m.formatted || len(r.Notes) != 2 || !strings.Contains(r.Notes[0], "grew from 1.4 GiB to 3.4 GiB") || m.read("kept") != "kept" {
		t.Errorf("on a larger card: %+v", r)
	}
	m.down()
	if r := m.mustBoot(); m.formatted || m.read("kept") != "kept" {
		t.Errorf("later: %+v", r)
	}
	if err := makeAnew(m.disk); err != nil {
		t.Fatal(err)
	}
	m.down()
	if r := m.mustBoot(); !m.formatted || r.Size != 3519*mib {
		t.Errorf("reset: %+v", r)
	}
	m.down()
	m.change(func(f *os.File, data int64) {
		if _, err := f.WriteAt([]byte("MINE\x00"), data+1024+0x78); err != nil { // the label
			t.Fatal(err)
		}
	})
	if _, err := m.boot(); err == nil || !strings.Contains(err.Error(), `a file system ext4 labelled "MINE"; nothing was changed`) {
		t.Errorf("the file system of somebody else: %v", err)
	}
}

func TestDamage(t *testing.T) {
	zero := func(f *os.File, at, size int64) {
		if _, err := f.WriteAt(make([]byte, size), at); err != nil {
			t.Fatal(err)
		}
	}
	set := func(f *os.File, at int64, b ...byte) {
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
	}
	// The time of the root folder's last access: its checksum is wrong then, while the file system is marked clean.
	spoilRoot := func(f *os.File, data int64) {
		var table [4]byte
		if _, err := f.ReadAt(table[:], data+4096+8); err != nil { // the first group descriptor's bg_inode_table_lo
			t.Fatal(err)
		}
		set(f, data+4096*int64(binary.LittleEndian.Uint32(table[:]))+256+8, 1, 2, 3, 4)
	}
	tests := []struct {
		name  string
		edit  func(f *os.File, data int64)
		notes string // in one of the notes
		err   string
	}{
		{"errors are marked", func(f *os.File, data int64) { set(f, data+1024+0x3a, 3) }, "e2fsck", ""},
		{"marked clean, but cannot be mounted", spoilRoot, "checked whole", ""},
		{"superblock gone", func(f *os.File, data int64) { zero(f, data+1024, 1024) }, "e2fsck", ""},
		{"all superblocks gone", func(f *os.File, data int64) { zero(f, data, 1400*mib) }, "", "nothing was erased"},
		{"primary partition table gone", func(f *os.File, _ int64) { zero(f, 512, 2048) }, "restored the partition table from its backup", ""},
		{"backup partition table gone", func(f *os.File, _ int64) { zero(f, 2048*mib-512, 512) }, "wrote the backup of the partition table anew", ""},
		{"both partition tables gone", func(f *os.File, _ int64) { zero(f, 512, 512); zero(f, 2048*mib-512, 512) }, "", "write the image to the disk again"},
	}
	m := newMachine(t, 2048)
	m.mustBoot()
	m.write("kept", "kept")
	m.down()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			damaged := &machine{t: t, file: filepath.Join(t.TempDir(), "disk"), data: m.data}
			if out, err := exec.Command("cp", "--sparse=always", m.file, damaged.file).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			t.Cleanup(damaged.down)
			damaged.change(test.edit)
			r, err := damaged.boot()
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error is %v, want %q", err, test.err)
				}
				t.Log(err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if damaged.formatted || !slices.ContainsFunc(r.Notes, func(s string) bool { return strings.Contains(s, test.notes) }) {
				t.Errorf("%+v", r)
			}
			t.Logf("%q", r.Notes)
			if damaged.read("kept") != "kept" {
				t.Error("content is lost")
			}
			damaged.down()
			if r := damaged.mustBoot(); len(r.Notes) > 0 {
				t.Errorf("boot after the repair: %+v", r)
			}
		})
	}
}

func TestNoDisk(t *testing.T) {
	if _, err := Prepare(context.Background(), handover.Boot{}, func(string) {}); !errors.Is(err, ErrNoDisk) {
		t.Errorf("Prepare: %v", err)
	}
	if err := WithBoot(handover.Boot{}, false, func(string) error { return nil }); !errors.Is(err, ErrNoDisk) {
		t.Errorf("WithBoot: %v", err)
	}
}
