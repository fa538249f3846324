package build

import (
	"fmt"
	"os"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/fat"
)

// cluster of a slot's FAT in bytes. GRUB reads cluster by cluster; with 512 bytes it takes seconds for a kernel.
const cluster = 32 << 10

// Plan decides where the parts of a slot are, before the initrd exists: the initrd carries the answer. kernel is the
// file of the kernel, initrdSize the most bytes that the initrd may have.
func Plan(version, arch, kernel string, initrdSize int64, tree Tree) (slot.Layout, error) {
	st, err := os.Stat(kernel)
	if err != nil {
		return slot.Layout{}, fmt.Errorf("plan slot: %w", err)
	}
	root := fatSize(st.Size(), initrdSize)
	hash := alignUp(root + tree.RootSize)
	return slot.Layout{
		Version: version, Arch: arch,
		RootOffset: root, RootSize: tree.RootSize, HashOffset: hash,
		HashAlgorithm: tree.Algorithm, RootHash: tree.RootHash,
		DataBlockSize: BlockSize, HashBlockSize: BlockSize,
	}, nil
}

// fatSize leaves 64 KiB for grub.cfg and manifest.json.
func fatSize(kernel, initrd int64) uint64 {
	files := kernel + initrd + 64<<10 + 4*cluster
	tables := files / cluster * 8
	return alignUp(uint64(files + tables + 64<<10))
}

func alignUp(n uint64) uint64 { return (n + slot.Align - 1) / slot.Align * slot.Align }

// fits says in time, and in words, that the initrd grew beyond what [Plan] was told.
func fits(s fat.Spec, initrd string) error {
	need, err := s.Need()
	if err != nil {
		return err
	}
	if need <= s.Size {
		return nil
	}
	st, err := os.Stat(initrd)
	if err != nil {
		return err
	}
	return fmt.Errorf("initrd %s of %d bytes is larger than was planned for: plan the slot with %d bytes more", initrd, st.Size(), need-s.Size)
}
