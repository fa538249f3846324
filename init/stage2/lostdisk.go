package main

import (
	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/init/uevent"
)

// isRemoval is whether the kernel says that a disk, such as /dev/mmcblk0, was pulled out, or was given up.
func isRemoval(e uevent.Event, disk string) bool {
	return e.Action == "remove" && e.Subsystem == "block" && disk != "" && "/dev/"+e.Name == disk
}

// restartWithoutDisk restarts the machine at once. Nothing can be written any more, and what is not in memory of any program, of this one
// too, cannot be read: an orderly shutdown would only take longer. Put back, the disk would be another device for the kernel; the
// firmware waits for it, or boots another.
func restartWithoutDisk(disk string) {
	kmsg.Error(component, "THE DISK %s IS GONE, which this machine runs from: put it back. Restarting at once", disk)
	leave(restart, func() {})
}
