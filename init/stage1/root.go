package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/init/dm"
	"github.com/coracle-os/coracle/init/modules"
)

// sysroot is where the root is mounted until it is the root.
const sysroot = "/sysroot"

// names of the device-mapper devices.
const (
	dataName = "coracle-root-data" // the root, cut out of its slot
	rootName = "coracle-root"      // the same, verified
)

// openRoot mounts the root of the slot at found on sysroot and returns its device node.
//
// While it is being opened, a block that is not what the root hash says is an error, and ours to explain. From then
// on the kernel panics at the first one: programs run from there, and would die one after the other of a
// signal that explains nothing, or worse, go on. The machine restarts (panic=10) and GRUB takes back a
// slot that was on trial.
func openRoot(loader *modules.Loader, found place, layout slot.Layout) (node string, err error) {
	// The tree is never larger than the data; its real size is of no use here.
	if end := layout.HashOffset + uint64(layout.HashBlockSize); end > found.size {
		return "", advise(fmt.Errorf("slot %s has %d bytes, version %s needs more than %d: it was written in part only",
			found.slot, found.size, layout.Version, end), reinstall)
	}
	data, err := dm.Create(dataName, dm.Linear(found.device, layout.RootOffset, layout.RootSize))
	if err != nil {
		return "", err
	}
	verity := dm.Verity{
		Data: data.Number, DataSize: layout.RootSize, DataBlockSize: layout.DataBlockSize,
		Hash: found.device, HashOffset: layout.HashOffset, HashBlockSize: layout.HashBlockSize,
		Algorithm: layout.HashAlgorithm, RootHash: layout.RootHash, Salt: layout.Salt,
	}
	root, err := dm.Create(rootName, verity.Target(dm.Fail))
	if err != nil {
		return "", fmt.Errorf("open the root in slot %s through dm-verity: %w", found.slot, err)
	}
	if err := mountRoot(loader, root.Node); err != nil {
		err = fmt.Errorf("the root in slot %s: %w", found.slot, err)
		if errors.Is(err, unix.EIO) {
			err = advise(fmt.Errorf("%w: the data read from the disk is not what root hash %s stands for (the kernel's line "+
				"above names the block)", err, layout.RootHash), "The slot is damaged or was changed, and is not used. "+
				reinstall+" If that does not help, the disk is failing: use another.")
		}
		return "", err
	}
	if err := dm.Replace(rootName, verity.Target(dm.Panic)); err != nil {
		return "", err
	}
	return root.Node, nil
}

// mountRoot mounts the verified device and reads the program that is started next to its end, so that one
// that is damaged is found here.
func mountRoot(loader *modules.Loader, node string) error {
	kind, err := fileSystem(node)
	if err != nil {
		return err
	}
	if err := loader.Load(kind); err != nil {
		return err
	}
	if err := os.MkdirAll(sysroot, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(node, sysroot, kind, unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount as %s: %w", kind, err)
	}
	program, err := os.Open(sysroot + next)
	if err != nil {
		return err
	}
	defer program.Close()
	_, err = io.Copy(io.Discard, program)
	return err
}

// fileSystem tells by its magic number what is on a device.
func fileSystem(node string) (string, error) {
	f, err := os.Open(node)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, 4096)
	if _, err := io.ReadFull(f, head); err != nil {
		return "", err
	}
	return probe(head)
}

// probe is fileSystem, given the first bytes.
func probe(head []byte) (string, error) {
	for _, kind := range []struct {
		name   string
		offset int
		magic  []byte
	}{
		{"squashfs", 0, []byte("hsqs")},
		{"erofs", 1024, []byte{0xe2, 0xe1, 0xf5, 0xe0}},
	} {
		if len(head) >= kind.offset && bytes.HasPrefix(head[kind.offset:], kind.magic) {
			return kind.name, nil
		}
	}
	return "", fmt.Errorf("neither squashfs nor erofs: it begins with % x", head[:min(8, len(head))])
}
