package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/images/slot/grubenv"
	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/machined/storage/direct"
	"github.com/coracle-os/coracle/machined/storage/partitions"
)

// targetDir is where partitions of another disk are mounted while they are filled.
const targetDir = "/run/coracle/target"

// ReadTable reads the partition table of the disk that was booted from.
func ReadTable(boot handover.Boot) (*partitions.Table, error) {
	if boot.Disk == "" {
		return nil, ErrNoDisk
	}
	d, err := openDisk(boot.Disk)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	table, _, err := partitions.Read(d, d.size, d.sector)
	return table, err
}

// TableFor is the whole table of another disk, of size bytes, that gets a copy of the system on the one with the table source. The
// error is for a person.
func TableFor(source *partitions.Table, size uint64) (*partitions.Table, error) {
	table, err := source.For(size, "coracle-bios", "coracle-boot", slotAName)
	if errors.Is(err, partitions.ErrOutside) {
		return nil, tooSmall(table, true)
	}
	if err != nil {
		return nil, err
	}
	table, _, err = layOut(table)
	if err != nil {
		return nil, err
	}
	table.Partition(dataPartition(table)).SetName(dataName)
	return table, nil
}

// Usable is why the disk at path cannot be written; nil if it can. sector is the size of sectors that it has to have, in bytes.
func Usable(path string, sector int) error {
	f, err := claim(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if readOnly, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKROGET); err != nil || readOnly != 0 {
		return errors.Join(errors.New("it is read-only"), err)
	}
	has, err := unix.IoctlGetInt(int(f.Fd()), unix.BLKSSZGET)
	if err != nil {
		return fmt.Errorf("sector size of %s: %w", path, err)
	}
	if has != sector {
		return fmt.Errorf("it has sectors of %d bytes, and the system is on a disk with sectors of %d: what is copied would not start there", has, sector)
	}
	return nil
}

// claim opens a disk that nobody uses, nor one of its partitions.
func claim(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_EXCL, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, errors.New("it is in use: it, or a partition of it, is mounted, swap, or part of another device")
	}
	return f, err
}

// Target is another disk that a copy of the system is written to.
type Target struct {
	*direct.File
	Size int64 // bytes
}

// ReleaseTarget unmounts what a machined that was killed has left of another disk.
func ReleaseTarget() {
	for unix.Unmount(targetDir, unix.MNT_DETACH) == nil {
	}
}

// OpenTarget opens the disk at path to be overwritten. The kernel forgets its partitions.
func OpenTarget(path string, sector int) (*Target, error) {
	if err := Usable(path, sector); err != nil {
		return nil, err
	}
	held, err := claim(path)
	if err != nil {
		return nil, err
	}
	defer held.Close()
	known, _, err := kernelPartitions(path)
	if err != nil {
		return nil, err
	}
	f, size, err := direct.Open(path)
	if err != nil {
		return nil, err
	}
	for number := range known {
		if err := (&disk{File: f.File}).apply(blkpg{op: unix.BLKPG_DEL_PARTITION, number: number}); err != nil {
			f.Close()
			return nil, err
		}
	}
	return &Target{f, size}, nil
}

// Partition has the kernel know the partitions of a table that is not on the disk yet. It returns their devices by their numbers.
func (t *Target) Partition(table *partitions.Table) (map[int]string, error) {
	ops, err := tellKernel(table, nil)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		if err := (&disk{File: t.File.File}).apply(op); err != nil {
			return nil, err
		}
	}
	_, devices, err := kernelPartitions(t.Name())
	return devices, err
}

// FillBoot makes the copy of BOOT on device the one of a disk of its own: the boot loader boots slot, nothing is on trial, and files
// that are the other disk's alone are gone.
func FillBoot(device, slot string, gone []string) error {
	if err := mount(device, targetDir, "vfat", unix.MS_NOATIME|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "umask=0077"); err != nil {
		return err
	}
	return errors.Join(fillBoot(targetDir, slot, gone), unmountSynced(targetDir, true))
}

func fillBoot(dir, slot string, gone []string) error {
	folder, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	for _, name := range gone {
		if err := folder.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	block, err := grubenv.State{Active: slot}.Block()
	if err != nil {
		return err
	}
	for _, name := range []string{copyName, environmentName} {
		if err := writeInPlace(folder, name, block); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// writeInPlace keeps a file of the environment in one piece, which the boot loader needs. One of another length is made anew.
func writeInPlace(folder *os.Root, name string, block []byte) error {
	f, err := folder.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return makeFile(folder.Name(), write{name, block})
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != int64(len(block)) {
		return makeFile(folder.Name(), write{name, block})
	}
	_, err = f.WriteAt(block, 0)
	return err
}

// FillData makes DATA's file system on device, and calls fill with the folder that it is mounted on.
func FillData(ctx context.Context, device string, progress func(string), fill func(dir string) error) error {
	if err := makeFileSystem(ctx, device, progress); err != nil {
		return err
	}
	if err := mountData(device, targetDir); err != nil {
		return err
	}
	err := makeDirectories(targetDir)
	if err == nil {
		err = fill(targetDir)
	}
	return errors.Join(err, unmountSynced(targetDir, true))
}

// DataDir is where the machine's state is on a DATA that is mounted on dir.
func DataDir(dir string) string { return dir + "/lib/coracle" }
