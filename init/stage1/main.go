// Command stage1 is /init in the initramfs: it loads the modules that the disk needs, finds the slot that GRUB
// chose, opens its root through dm-verity and starts the init in there.
//
// When it cannot, it says on the console what is wrong and what to do, and restarts the machine. There is no
// shell to fall into.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/record"
	"github.com/coracle-os/coracle/init/handover"
	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/init/modules"
)

// next is the init in the root.
const next = "/usr/bin/init"

// waitForDisk is how long a disk may take to appear. Spinning disks behind USB need up to half a minute.
const waitForDisk = time.Minute

func main() {
	defer func() {
		if r := recover(); r != nil {
			refuse(fmt.Errorf("stage 1 of init has a defect: %v\n%s", r, debug.Stack()))
		}
	}()
	refuse(boot())
}

// boot only returns when it fails.
func boot() error {
	if err := mountAll(); err != nil {
		return err
	}
	kmsg.Milestone(component, "kernel", "")
	go dog.run()
	args, err := readArguments("/proc/cmdline")
	if err != nil {
		return err
	}
	layout, err := readLayout()
	if err != nil {
		return err
	}
	dir, err := modules.Dir()
	if err != nil {
		return err
	}
	loader := modules.Open(dir)
	// The slot is found by BOOT's PARTUUID, whatever the disks are called. Those of virtual machines, though, keep the order that
	// they were given in: nothing else tells them apart.
	loader.Async = func(module string) bool { return module != "virtio_blk" }
	crypto, err := os.ReadFile("/proc/crypto")
	if err != nil {
		return fmt.Errorf("see what hashes the kernel knows: %w", err)
	}
	if err := loader.Load(verityModules(layout.HashAlgorithm, string(crypto))...); err != nil {
		return advise(err, "The initrd does not fit its kernel. "+reinstall)
	}
	found, err := await(loader, args, waitForDisk)
	if err != nil {
		return err
	}
	wait := time.Duration(0)
	if args.trial {
		wait = waitForWatchdog
		trial.begin(found.slot)
	}
	dog.cover(loader.Load, wait)
	root, err := openRoot(loader, found, layout)
	if err != nil {
		return err
	}
	if err := handover.Write(handover.Path, handover.Boot{
		Slot: args.slot, Version: layout.Version, Disk: found.disk, Boot: found.boot, SlotDevice: found.slot,
		Root: root, RootHash: layout.RootHash, ImageSize: layout.ImageSize(),
		Trial: args.trial, Watchdog: dog.inherit(), WatchdogReset: dog.causedReset(),
	}); err != nil {
		return fmt.Errorf("leave a note for the root's init: %w", err)
	}
	trial.reach(record.Root)
	kmsg.Milestone(component, "root", fmt.Sprintf("slot %s version %s on %s", args.slot, layout.Version, found.slot))
	return switchRoot(next)
}

func readLayout() (slot.Layout, error) {
	b, err := os.ReadFile(slot.LayoutPath)
	if err != nil {
		return slot.Layout{}, advise(fmt.Errorf("read the layout of the slot: %w", err), reinstall)
	}
	layout, err := slot.ParseLayout(b)
	if err != nil {
		return layout, advise(fmt.Errorf("%s in the initrd: %w", slot.LayoutPath, err), reinstall)
	}
	return layout, nil
}

// mountAll mounts what every process needs. They are moved into the root later.
func mountAll() error {
	for _, m := range []struct {
		target, kind, options string
		flags                 uintptr
	}{
		{"/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/dev", "devtmpfs", "mode=0755", unix.MS_NOSUID},
		{"/run", "tmpfs", "mode=0755", unix.MS_NOSUID | unix.MS_NODEV},
	} {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.target, m.kind, m.flags, m.options); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.target, err)
		}
	}
	return nil
}
