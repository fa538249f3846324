// Package storage makes, repairs, grows and mounts what a machine keeps: the partitions that first boot adds to the
// flashed image, the file system DATA on /var, the BOOT partition while it is needed, and a medium labelled CORACLE.
package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/machined/storage/partitions"
	"golang.org/x/sys/unix"
)

// ErrNoDisk is that the machine did not boot from a disk, and so has nowhere to keep anything.
var ErrNoDisk = errors.New("the machine did not boot from a disk")

// Report is what [Prepare] found and did.
type Report struct {
	Device string   // DATA's, such as /dev/vda4
	Size   uint64   // of DATA's file system, bytes
	Notes  []string // what was made, grown or repaired, for a person; none on an ordinary boot
}

// varDir is where DATA is mounted.
const varDir = "/var"

// directories are those that others expect on DATA.
var directories = []struct {
	path string
	mode os.FileMode
}{
	{"lib", 0o755},
	{"lib/coracle", 0o700},
	{"lib/containerd", 0o711},
	{"lib/kubelet", 0o755},
	{"lib/cni", 0o755},
	{"log", 0o755},
	{"cache", 0o755},
	{"tmp", 0o777 | os.ModeSticky},
}

// Prepare brings the booted disk to its full layout and mounts DATA on /var. It repairs the partition table from its
// backup, makes slot B and DATA when they are missing, checks DATA's file system when it was not unmounted in order or
// cannot be mounted, and grows it with the disk. It may be called again while DATA is mounted. An existing DATA is never
// made anew: when it cannot be repaired the error says so, and that writing the image again starts over.
//
// progress is told what takes time. Whenever the power is cut, the next call goes on from there.
func Prepare(ctx context.Context, boot handover.Boot, progress func(string)) (Report, error) {
	if boot.Disk == "" {
		return Report{}, ErrNoDisk
	}
	r, err := prepare(ctx, boot.Disk, varDir, progress)
	if err != nil {
		err = fmt.Errorf("disk %s: %w", boot.Disk, err)
	}
	return r, err
}

func prepare(ctx context.Context, path, mountPoint string, progress func(string)) (Report, error) {
	var report Report
	d, err := openDisk(path)
	if err != nil {
		return report, err
	}
	defer d.Close()
	table, notes, err := partition(d)
	report.Notes = append(report.Notes, notes...)
	if err != nil {
		return report, err
	}
	number := dataPartition(table)
	_, devices, err := kernelPartitions(path)
	if err != nil {
		return report, err
	}
	report.Device = devices[number]
	if report.Device == "" {
		return report, fmt.Errorf("the kernel has no device for partition %d", number)
	}
	mounted, err := isMounted(report.Device, mountPoint)
	if err != nil {
		return report, err
	}
	switch {
	case mounted: // by an earlier machined
	case table.Partition(number).Name() == unmadeName:
		if err := format(ctx, d, table, report.Device, progress); err != nil {
			return report, err
		}
		if err := mountData(report.Device, mountPoint); err != nil {
			return report, err
		}
	default:
		if !table.Named() {
			if err := checkOurs(report.Device); err != nil {
				return report, err
			}
		}
		notes, err := checkAndMount(ctx, report.Device, mountPoint, progress)
		report.Notes = append(report.Notes, notes...)
		if err != nil {
			return report, err
		}
	}
	var note string
	report.Size, note, err = growFileSystem(report.Device, mountPoint, progress)
	if err != nil {
		report.Notes = append(report.Notes, err.Error()) // it is as good as it was, only smaller than it could be
	} else if note != "" {
		report.Notes = append(report.Notes, note)
	}
	return report, makeDirectories(mountPoint)
}

// partition brings the disk's partition table to its full layout, and the kernel to the same view.
func partition(d *disk) (*partitions.Table, []string, error) {
	var notes []string
	old, health, err := partitions.Read(d, d.size, d.sector)
	if errors.Is(err, partitions.ErrOutside) {
		return nil, nil, fmt.Errorf("the disk (%s) is smaller than the image or the disk that was copied to it: %w", bytesText(uint64(d.size)), err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w; write the image to the disk again", err)
	}
	table, made, err := layOut(old)
	if err != nil {
		return nil, nil, err
	}
	if len(made) > 0 || !health.Good() {
		if err := table.Write(d, health); err != nil {
			return nil, nil, err
		}
		if health.Primary != nil {
			notes = append(notes, fmt.Sprintf("restored the partition table from its backup (%v)", health.Primary))
		}
		if health.Backup != nil && !errors.Is(health.Backup, partitions.ErrMoved) {
			notes = append(notes, fmt.Sprintf("wrote the backup of the partition table anew (%v)", health.Backup))
		}
	}
	notes = append(notes, made...)
	known, _, err := kernelPartitions(d.Name())
	if err != nil {
		return nil, notes, err
	}
	ops, err := tellKernel(table, known)
	if err != nil {
		return nil, notes, err
	}
	for _, op := range ops {
		if err := d.apply(op); err != nil {
			return nil, notes, err
		}
	}
	return table, notes, nil
}

// format makes DATA's file system, and then gives the partition the name that says so.
func format(ctx context.Context, d *disk, table *partitions.Table, device string, progress func(string)) error {
	if err := makeFileSystem(ctx, device, progress); err != nil {
		return err
	}
	table.Partition(dataPartition(table)).SetName(dataName)
	return table.Write(d, partitions.Health{})
}

// makeFileSystem makes a file system for DATA, and returns when it is on the disk.
func makeFileSystem(ctx context.Context, device string, progress func(string)) error {
	progress("making the file system of " + device)
	if out, err := command(ctx, mkfsPath, mkfsArguments(device)...); err != nil {
		return fmt.Errorf("%s %s: %w: %s", mkfsPath, device, err, strings.TrimSpace(string(out)))
	}
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write the file system of %s: %w", device, err)
	}
	return nil
}

func mountData(device, dir string) error {
	return mount(device, dir, "ext4", unix.MS_NOATIME|unix.MS_LAZYTIME, dataOptions)
}

// checkAndMount mounts a DATA that was in use before, and has it repaired if it has to be. What e2fsck is not asked to
// look at, as it is marked clean, may be damaged all the same: then it cannot be mounted.
func checkAndMount(ctx context.Context, device, dir string, progress func(string)) ([]string, error) {
	notes, err := checkMarked(ctx, device, progress)
	if err != nil {
		return notes, err
	}
	err = mountData(device, dir)
	if err == nil || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EPERM) {
		return notes, err
	}
	progress(err.Error())
	notes = append(notes, "DATA could not be mounted and was checked whole")
	said, err := checkData(ctx, device, true, progress)
	notes = append(notes, said...)
	if err != nil {
		return notes, err
	}
	if err := mountData(device, dir); err != nil {
		return notes, lost(device, err)
	}
	return notes, nil
}

// checkOurs is an error when the partition that by its number is DATA has the file system of somebody else. One that is
// damaged beyond recognition may be DATA.
func checkOurs(device string) error {
	f, err := os.Open(device)
	if err != nil {
		return err
	}
	defer f.Close()
	v := probe(f)
	if v.kind == "" || v == (volume{"ext4", dataLabel}) {
		return nil
	}
	return fmt.Errorf("%s should be DATA, and has a file system %s labelled %q; nothing was changed: "+
		"remove that partition if it is not needed, or write the image to the disk again", device, v.kind, v.label)
}

// checkMarked has e2fsck look at DATA if its superblock gives a reason to.
func checkMarked(ctx context.Context, device string, progress func(string)) ([]string, error) {
	f, err := os.Open(device)
	if err != nil {
		return nil, err
	}
	s, err := readSuperblock(f)
	f.Close()
	if err == nil && !s.needsCheck() {
		return nil, nil
	}
	if err != nil {
		progress(fmt.Sprintf("%s: %v; looking for a copy of it", device, err))
	}
	return checkData(ctx, device, false, progress)
}

// lost tells what to do about a DATA that cannot be used.
func lost(device string, err error) error {
	return fmt.Errorf("DATA on %s: %w; nothing was erased: save the disk's content if it is needed, then write the image to the disk again to start over", device, err)
}

// checkData runs e2fsck on DATA and returns notes of what it repaired.
func checkData(ctx context.Context, device string, force bool, progress func(string)) ([]string, error) {
	said, err := check(ctx, device, force, progress)
	if err != nil {
		return said, lost(device, err)
	}
	var notes []string
	for _, line := range said {
		notes = append(notes, "e2fsck "+device+": "+line)
	}
	return notes, nil
}

func makeDirectories(root string) error {
	for _, d := range directories {
		path := filepath.Join(root, d.path)
		if err := os.Mkdir(path, d.mode.Perm()); errors.Is(err, os.ErrExist) {
			continue
		} else if err != nil {
			return err
		}
		if err := os.Chmod(path, d.mode); err != nil { // whatever the umask is
			return err
		}
	}
	err := os.Symlink("/run", filepath.Join(root, "run"))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}
