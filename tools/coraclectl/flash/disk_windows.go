package flash

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

const unmountHint = "close what uses it"

// Control codes of winioctl.h.
const (
	ioctlStorageQueryProperty = 0x002d1400
	ioctlDiskGetLengthInfo    = 0x0007405c
	ioctlDiskIsWritable       = 0x00070024
	ioctlDiskUpdateProperties = 0x00070140
	ioctlVolumeDiskExtents    = 0x00560000
	fsctlLockVolume           = 0x00090018
	fsctlDismountVolume       = 0x00090020
)

var driveForm = regexp.MustCompile(`(?i)^\\\\\.\\PhysicalDrive(\d{1,3})$`)

func isDevice(path string) bool { return strings.HasPrefix(path, `\\.\`) }

func inspect(path string) (Disk, error) {
	if !driveForm.MatchString(path) {
		return Disk{}, fmt.Errorf(`%w; disks are called \\.\PhysicalDriveN (Get-Disk shows which N)`, ErrPartition)
	}
	h, err := openHandle(path, windows.GENERIC_READ, 0)
	if err != nil {
		return Disk{}, err
	}
	defer windows.CloseHandle(h)
	d := Disk{Path: path}
	length := make([]byte, 8)
	if err := control(h, ioctlDiskGetLengthInfo, nil, length); err != nil {
		return Disk{}, fmt.Errorf("its size: %w", err)
	}
	d.Size = int64(binary.LittleEndian.Uint64(length))
	d.ReadOnly = errors.Is(control(h, ioctlDiskIsWritable, nil, nil), windows.ERROR_WRITE_PROTECT)
	descriptor := make([]byte, 1024) // STORAGE_DEVICE_DESCRIPTOR
	if err := control(h, ioctlStorageQueryProperty, make([]byte, 12), descriptor); err == nil {
		d.Removable = descriptor[10] != 0
		d.Model = strings.TrimSpace(textAt(descriptor, 12) + " " + textAt(descriptor, 16)) // of vendor and product
	}
	return d, nil
}

// textAt is the text whose offset is in the four bytes at i.
func textAt(b []byte, i int) string {
	offset := binary.LittleEndian.Uint32(b[i:])
	if offset == 0 || int(offset) >= len(b) {
		return ""
	}
	return strings.TrimSpace(windows.ByteSliceToString(b[offset:]))
}

// device is a disk of Windows, with the locked volumes that are on it.
type device struct {
	*os.File
	volumes []windows.Handle
}

func (d Disk) open() (_ Target, err error) {
	number, err := strconv.ParseUint(driveForm.FindStringSubmatch(d.Path)[1], 10, 32)
	if err != nil {
		return nil, err
	}
	t := &device{}
	defer func() {
		if err != nil {
			t.unlock()
		}
	}()
	if t.volumes, err = lockVolumes(uint32(number)); err != nil {
		return nil, err
	}
	h, err := openHandle(d.Path, windows.GENERIC_READ|windows.GENERIC_WRITE, windows.FILE_FLAG_NO_BUFFERING|windows.FILE_FLAG_WRITE_THROUGH)
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return nil, fmt.Errorf("%w; run it as administrator", err)
	}
	if err != nil {
		return nil, err
	}
	t.File = os.NewFile(uintptr(h), d.Path)
	return t, nil
}

// lockVolumes locks and dismounts what is mounted of a disk: Windows mounts what it finds, and does not let others write there.
func lockVolumes(disk uint32) (locked []windows.Handle, err error) {
	var name [windows.MAX_PATH]uint16
	find, err := windows.FindFirstVolume(&name[0], uint32(len(name)))
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	defer windows.FindVolumeClose(find)
	for {
		volume := strings.TrimSuffix(windows.UTF16ToString(name[:]), `\`)
		h, err := openHandle(volume, windows.GENERIC_READ|windows.GENERIC_WRITE, 0)
		if err == nil {
			if onDisk(h, disk) {
				locked = append(locked, h)
				if err := control(h, fsctlLockVolume, nil, nil); err != nil {
					return locked, fmt.Errorf("the volume %s is in use; %s: %w", volume, unmountHint, err)
				}
				if err := control(h, fsctlDismountVolume, nil, nil); err != nil {
					return locked, fmt.Errorf("dismount the volume %s: %w", volume, err)
				}
			} else {
				windows.CloseHandle(h)
			}
		}
		switch err := windows.FindNextVolume(find, &name[0], uint32(len(name))); {
		case errors.Is(err, windows.ERROR_NO_MORE_FILES):
			return locked, nil
		case err != nil:
			return locked, fmt.Errorf("list volumes: %w", err)
		}
	}
}

// onDisk is whether a part of a volume is on a disk.
func onDisk(volume windows.Handle, disk uint32) bool {
	const first, size = 8, 24 // of VOLUME_DISK_EXTENTS: where the list begins, and one DISK_EXTENT
	extents := make([]byte, first+32*size)
	if control(volume, ioctlVolumeDiskExtents, nil, extents) != nil {
		return false
	}
	for i := range min(binary.LittleEndian.Uint32(extents), 32) {
		if binary.LittleEndian.Uint32(extents[first+i*size:]) == disk {
			return true
		}
	}
	return false
}

func openHandle(path string, access, flags uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	return windows.CreateFile(name, access, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, nil, windows.OPEN_EXISTING, flags, 0)
}

func control(h windows.Handle, code uint32, in, out []byte) error {
	var returned uint32
	return windows.DeviceIoControl(h, code, unsafe.SliceData(in), uint32(len(in)), unsafe.SliceData(out), uint32(len(out)), &returned, nil)
}

// Uncache has nothing to do: the disk is opened without a cache.
func (*device) Uncache() error { return nil }

// Close lets Windows look for the new partitions.
func (d *device) Close() error {
	control(windows.Handle(d.Fd()), ioctlDiskUpdateProperties, nil, nil)
	err := d.File.Close()
	d.unlock()
	return err
}

func (d *device) unlock() {
	for _, h := range d.volumes {
		windows.CloseHandle(h)
	}
}
