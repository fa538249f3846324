// Package dm makes device-mapper devices: the linear device that cuts the root out of its slot, and the
// verity device that checks every block of it as it is read.
//
// It is a few ioctls of linux/dm-ioctl.h. go-dmverity has them too, but passes the address of memory on
// the Go stack through an integer, where a stack that moves leaves the kernel with the old address.
package dm

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SectorSize is the unit of device-mapper tables, in bytes.
const SectorSize = 512

// Target is a table of one line that covers the whole of a device.
type Target struct {
	Sectors uint64 // length
	Type    string // such as linear
	Params  string // as in the kernel's Documentation/admin-guide/device-mapper
}

// header is struct dm_ioctl, which is the same on 32-bit and 64-bit machines.
type header struct {
	version     [3]uint32
	dataSize    uint32
	dataStart   uint32
	targetCount uint32
	openCount   int32
	flags       uint32
	eventNumber uint32
	_           uint32
	device      uint64
	name        [128]byte
	uuid        [129]byte
	_           [7]byte
}

// The commands, and the flag for a device that cannot be written.
const (
	devCreate    = 3
	devRemove    = 4
	devSuspend   = 6 // Without DM_SUSPEND_FLAG: resume, and take the table that was loaded last.
	tableLoad    = 9
	readOnlyFlag = 1 << 0
)

const (
	headerSize     = int(unsafe.Sizeof(header{}))
	targetSpecSize = 40 // struct dm_target_spec
)

// Device is a device that was made.
type Device struct {
	Node   string // such as /dev/dm-0; without udev there are no names in /dev/mapper
	Number string // MAJOR:MINOR
}

// Create makes a read-only device.
func Create(name string, t Target) (Device, error) {
	h, err := request(devCreate, name, 0, nil)
	if err != nil {
		return Device{}, fmt.Errorf("make device-mapper device %s: %w", name, err)
	}
	if err := Replace(name, t); err != nil {
		request(devRemove, name, 0, nil)
		return Device{}, err
	}
	major, minor := unix.Major(h.device), unix.Minor(h.device)
	return Device{fmt.Sprintf("/dev/dm-%d", minor), fmt.Sprintf("%d:%d", major, minor)}, nil
}

// Replace changes what a device does, while it may be in use.
func Replace(name string, t Target) error {
	if _, err := request(tableLoad, name, readOnlyFlag, t.encode()); err != nil {
		return fmt.Errorf("load table %q into device-mapper device %s: %w", t.Type+" "+t.Params, name, err)
	}
	if _, err := request(devSuspend, name, 0, nil); err != nil {
		return fmt.Errorf("start device-mapper device %s: %w", name, err)
	}
	return nil
}

// encode is t as a struct dm_target_spec, its parameters after it, padded to 8 bytes.
func (t Target) encode() []byte {
	b := make([]byte, targetSpecSize, targetSpecSize+len(t.Params)+8)
	binary.NativeEndian.PutUint64(b[8:], t.Sectors) // After sector_start, which is 0.
	copy(b[24:targetSpecSize-1], t.Type)            // After status and next.
	b = append(b, t.Params...)
	b = append(b, 0)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

func request(command uintptr, name string, flags uint32, data []byte) (header, error) {
	f, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	var h header
	if len(name) >= len(h.name) {
		return h, unix.ENAMETOOLONG
	}
	// The buffer is made of headers for the alignment, and on the heap, where it does not move.
	buf := make([]header, 1+(len(data)+headerSize-1)/headerSize)
	buf[0].version = [3]uint32{4, 0, 0}
	buf[0].dataSize = uint32(len(buf) * headerSize)
	buf[0].dataStart = uint32(headerSize)
	buf[0].flags = flags
	copy(buf[0].name[:], name)
	if len(data) > 0 {
		buf[0].targetCount = 1
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&buf[1])), (len(buf)-1)*headerSize), data)
	}
	const readWrite, magic = 3, 0xfd
	number := uintptr(readWrite)<<30 | uintptr(headerSize)<<16 | magic<<8 | command
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), number, uintptr(unsafe.Pointer(&buf[0])))
	runtime.KeepAlive(buf)
	if errno != 0 {
		return h, errno
	}
	return buf[0], nil
}
