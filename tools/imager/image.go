package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"

	"github.com/coracle-os/coracle/configs/grub"
	"github.com/coracle-os/coracle/images/slot"
	slotbuild "github.com/coracle-os/coracle/images/slot/build"
	"github.com/coracle-os/coracle/tools/imager/definition"
	"github.com/coracle-os/coracle/tools/imager/disk"
	"github.com/coracle-os/coracle/tools/imager/initramfs"
	"github.com/coracle-os/coracle/tools/imager/rootfs"
)

// packRoot makes the root's file system, unless the last build made it of the same files in the same way.
func (b *builder) packRoot(ctx context.Context) (string, error) {
	digest, err := b.root.Digest()
	if err != nil {
		return "", err
	}
	key := []any{digest, b.definition.Root, b.source.Time.Unix()}
	for _, p := range b.tools.Packages() {
		key = append(key, p.SHA256)
	}
	out := b.inWork("root.img")
	again, err := reuse(out, key, func() error {
		return b.root.Pack(ctx, b.tools, b.definition.Root, digest, b.source.Time, out)
	})
	return describe(out, again, err)
}

func (b *builder) hashRoot(ctx context.Context) (string, error) {
	var err error
	b.tree, err = slotbuild.Verity(ctx, b.inWork("root.img"), b.inWork("root.verity"), b.definition.Root.Hash)
	return b.tree.RootHash, err
}

// layoutRoom is what the archive with the layout takes of the initrd at most, in bytes.
const layoutRoom = 16 << 10

// makeInitramfs writes the initramfs and, as an archive of its own behind it, the slot's layout, which depends on its size.
func (b *builder) makeInitramfs(ctx context.Context) (string, error) {
	tree, err := rootfs.NewTree(b.inWork("initramfs"))
	if err != nil {
		return "", err
	}
	if err := tree.Copy(initPath, b.programs[initPath], 0o755); err != nil {
		return "", err
	}
	if err := b.kernel.Install(ctx, b.tools.Command, b.modules.index, b.modules.initramfs, tree.Dir); err != nil {
		return "", err
	}
	out := b.inWork("initrd")
	if err := initramfs.Write(tree.Dir, out); err != nil {
		return "", err
	}
	info, err := os.Stat(out)
	if err != nil {
		return "", err
	}
	b.layout, err = slotbuild.Plan(b.source.Version, b.arch.GOARCH, b.kernel.Image, info.Size()+layoutRoom, b.tree)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(b.layout)
	if err != nil {
		return "", err
	}
	return describe(out, false, initramfs.Append(out, slot.LayoutPath, text))
}

func (b *builder) assembleSlot(ctx context.Context) (string, error) {
	config, err := grub.Slot(b.definition.Kernel.Arguments)
	if err != nil {
		return "", err
	}
	out := b.inWork("slot.img")
	b.manifest, err = slotbuild.Assemble(ctx, b.tools, out, slotbuild.Parts{
		Layout: b.layout, Tree: b.tree, Kernel: b.kernel.Image, KernelRelease: b.kernel.Release,
		Initrd: b.inWork("initrd"), Grub: config, Root: b.inWork("root.img"), Time: b.source.Time,
	})
	if err == nil {
		err = fitsPartition(b.manifest.Size, b.definition.Disk.Slot)
	}
	return describe(out, false, err)
}

// fitsPartition finds a slot image that is too large for a slot, so that no artifact is made that no machine takes.
func fitsPartition(image uint64, partition definition.Size) error {
	if image+slot.RecordSize > uint64(partition) {
		return fmt.Errorf("the slot image has %d bytes and its record %d, more than disk.slot of %s: take something out, or raise that if no machine was installed with it",
			image, slot.RecordSize, partition)
	}
	return nil
}

// writeDisk makes the disk for UEFI, on PCs for BIOS too.
func (b *builder) writeDisk(ctx context.Context) (string, error) {
	out := b.path(".img")
	return describe(out, false, disk.Write(ctx, b.tools, out, b.disk()))
}

// disk is what all disks of the image have in common.
func (b *builder) disk() disk.Spec {
	return disk.Spec{
		Arch: b.arch.GOARCH, Slot: b.inWork("slot.img"), SlotSize: uint64(b.definition.Disk.Slot), Manifest: b.manifest, Time: b.source.Time,
	}
}

// compress makes what people download of a disk image.
func compress(ctx context.Context, from string) (string, error) {
	to := from + ".zst"
	digest, err := fileDigest(from)
	if err != nil {
		return "", err
	}
	again, err := reuse(to, []any{digest}, func() error { return compressFile(ctx, from, to) })
	return describe(to, again, err)
}

func compressFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	partial := to + ".partial"
	out, err := os.Create(partial)
	if err != nil {
		return err
	}
	defer out.Close()
	// One goroutine: how concurrent ones cut the input is not promised to stay the same.
	z, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	buffer := make([]byte, 1<<20)
	for {
		n, err := in.Read(buffer)
		if n > 0 {
			if _, err := z.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			if err := errors.Join(z.Close(), out.Close()); err != nil {
				return err
			}
			return os.Rename(partial, to)
		}
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
	}
}

// describe is a step's result: the file that it made.
func describe(name string, again bool, err error) (string, error) {
	if err != nil {
		return "", err
	}
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%s, %s", filepath.Base(name), size(info.Size()))
	if again {
		text += ", as before"
	}
	return text, nil
}
