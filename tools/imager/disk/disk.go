// Package disk makes the image that is written to a disk: a GPT, or an MBR for the Raspberry Pi, with GRUB for UEFI, on PCs for
// BIOS too, the partition BOOT, and slot A. What else a disk needs is made on the machine at its first boot.
package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/coracle-os/coracle/configs/grub"
	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/fat"
	"github.com/coracle-os/coracle/images/slot/grubenv"
)

// Packages are the Debian packages whose programs [Write] and slot images need, for the build host.
var Packages = []string{"dosfstools", GRUBPackage, "mtools"}

// GRUBPackage has grub-mkimage. It has to be of the version of [BootPackages].
const GRUBPackage = "grub-common"

// BootPackages are the Debian packages with the parts of GRUB that get into the image, for the architecture goarch.
func BootPackages(goarch string) []string {
	l := byArchitecture[goarch]
	packages := []string{l.uefi.pkg}
	if l.bios != nil {
		packages = append(packages, l.bios.pkg)
	}
	return packages
}

// Tools runs programs of [Packages], and says where the files of [BootPackages] are.
type Tools interface {
	Command(ctx context.Context, name string, args ...string) *exec.Cmd
	Dir(pkg string) string
}

// Spec describes a disk image.
type Spec struct {
	Arch     string        // GOARCH
	Table    Table         // GPT if empty
	Slot     string        // file of the slot image
	SlotSize uint64        // bytes of a slot's partition, a multiple of 1 MiB, with an MBR of 4 MiB: room for later versions
	Manifest slot.Manifest // of the slot image
	Time     time.Time     // date of the files on BOOT
	Boot     []fat.File    // further files on BOOT, such as machine.yaml and what a board's firmware starts from
}

// Write makes the image in the file out, sparse. The same Spec and tools give the same bytes.
func Write(ctx context.Context, tools Tools, out string, s Spec) error {
	if err := write(ctx, tools, out, s); err != nil {
		return fmt.Errorf("make disk image %s: %w", out, err)
	}
	return nil
}

func write(ctx context.Context, tools Tools, out string, s Spec) error {
	loaders, ok := byArchitecture[s.Arch]
	if !ok {
		return fmt.Errorf("no boot loader for architecture %q", s.Arch)
	}
	if s.Table == "" {
		s.Table = GPT
	}
	switch {
	case s.Table != GPT && s.Table != MBR:
		return fmt.Errorf("partition table %q is not %s or %s", s.Table, GPT, MBR)
	case s.Table == MBR && loaders.bios != nil:
		return fmt.Errorf("%s boots from BIOS too, and its loader has no place on a disk with an MBR; use %s", s.Arch, GPT)
	}
	st, err := os.Stat(s.Slot)
	if err != nil {
		return err
	}
	if s.SlotSize == 0 || s.SlotSize%s.Table.align() != 0 || uint64(st.Size())+slot.RecordSize > s.SlotSize {
		return fmt.Errorf("slot image %s of %d bytes needs a partition that holds it and %d bytes more, and is a multiple of %d MiB, not one of %d bytes",
			s.Slot, st.Size(), slot.RecordSize, s.Table.align()/mib, s.SlotSize)
	}
	identity, err := json.Marshal(s.Manifest)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(out), ".disk-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)

	boot := filepath.Join(scratch, "boot.fat")
	if err := bootPartition(ctx, tools, scratch, boot, identity, s); err != nil {
		return err
	}

	// Under its own name only when it is whole: others take what is there.
	partial := filepath.Join(scratch, "disk.img")
	f, err := os.Create(partial)
	if err != nil {
		return err
	}
	defer f.Close()
	at := s.Table.layout(s.SlotSize)
	if err := f.Truncate(int64(at.image)); err != nil {
		return err
	}
	// The table first: a GPT is synced as it is written, which costs nothing while the file is empty.
	if err := writeTable(f, loaders, s.Table, at, string(identity)); err != nil {
		return err
	}
	if loaders.bios != nil {
		if err := writeBIOS(ctx, tools, *loaders.bios, scratch, f); err != nil {
			return err
		}
	}
	if err := errors.Join(
		copySparse(ctx, f, int64(at.boot), boot),
		copySparse(ctx, f, int64(at.slot), s.Slot),
		f.Close()); err != nil {
		return err
	}
	return os.Rename(partial, out)
}

func writeTable(f *os.File, l loaders, t Table, at layout, identity string) error {
	if t == MBR {
		return writeMBR(f, at, identity)
	}
	return gptTable(l, at, identity).Write(f, int64(at.image))
}

// UEFI is GRUB for UEFI, as it is on BOOT.
func UEFI(ctx context.Context, tools Tools, goarch, scratch string) (fat.File, error) {
	l, ok := byArchitecture[goarch]
	if !ok {
		return fat.File{}, fmt.Errorf("no boot loader for architecture %q", goarch)
	}
	image, err := l.uefi.image(ctx, tools, scratch)
	return fat.File{Path: l.file, Data: image}, err
}

// bootPartition makes the file system of BOOT, with GRUB for UEFI.
func bootPartition(ctx context.Context, tools Tools, scratch, name string, identity []byte, s Spec) error {
	efi, err := UEFI(ctx, tools, s.Arch, scratch)
	if err != nil {
		return err
	}
	env, err := grubenv.State{Active: "a"}.Block()
	if err != nil {
		return err
	}
	id := sha256.Sum256(identity)
	return fat.Make(ctx, tools, name, fat.Spec{
		Size: BootSize, Label: "CORACLEBOOT", ID: binary.LittleEndian.Uint32(id[:]), Time: s.Time,
		Files: append([]fat.File{
			efi,
			{Path: "coracle/grub.cfg", Data: grub.Boot},
			{Path: "coracle/grubenv", Data: env},
			{Path: "coracle/grubenv.copy", Data: env},
		}, s.Boot...),
	})
}

// writeBIOS writes GRUB for BIOS: the code of the first sector, and the content of the bios_boot partition.
func writeBIOS(ctx context.Context, tools Tools, bios platform, scratch string, to io.WriterAt) error {
	boot, err := os.ReadFile(filepath.Join(bios.dir(tools), "boot.img"))
	if err != nil {
		return err
	}
	code, err := bootSector(boot, coreLBA)
	if err != nil {
		return err
	}
	core, err := bios.image(ctx, tools, scratch)
	if err != nil {
		return err
	}
	if core, err = coreImage(core, coreLBA, coreRoom); err != nil {
		return err
	}
	if _, err := to.WriteAt(code, 0); err != nil {
		return err
	}
	_, err = to.WriteAt(core, coreLBA*sectorSize)
	return err
}

// copySparse copies the file from to the offset in the file to, and leaves holes where it is zero.
func copySparse(ctx context.Context, to *os.File, offset int64, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	block, zero := make([]byte, mib), make([]byte, mib)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(f, block)
		if n > 0 && !bytes.Equal(block[:n], zero[:n]) {
			if _, err := to.WriteAt(block[:n], offset); err != nil {
				return fmt.Errorf("copy %s to offset %d: %w", from, offset, err)
			}
		}
		offset += int64(n)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", from, err)
		}
	}
}
