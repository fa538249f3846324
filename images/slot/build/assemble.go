package build

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/coracle-os/coracle/images/slot"
	"github.com/coracle-os/coracle/images/slot/fat"
)

// Parts are what a slot image is assembled from.
type Parts struct {
	Layout        slot.Layout // from Plan, and the one in the initrd
	Tree          Tree        // from Verity
	Kernel        string      // file
	KernelRelease string      // as in uname -r
	Initrd        string      // file
	Grub          []byte      // the slot's grub.cfg
	Root          string      // file
	Time          time.Time   // date of the files in the FAT
}

// Assemble writes the slot image to the file out, and returns the manifest that it put in.
func Assemble(ctx context.Context, tools fat.Tools, out string, p Parts) (slot.Manifest, error) {
	m, err := p.manifest(ctx)
	if err != nil {
		return m, fmt.Errorf("assemble slot: %w", err)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	id := sha256.Sum256(text)
	sums := fmt.Sprintf("%s  %s\n%s  %s\n%x  %s\n", m.Kernel.SHA256, slot.KernelName, m.Initrd.SHA256, slot.InitrdName, sha256.Sum256(p.Grub), slot.GrubName)
	spec := fat.Spec{
		Size: int64(p.Layout.RootOffset), Label: "CORACLE-SLT", Cluster: cluster, Time: p.Time,
		ID: binary.LittleEndian.Uint32(id[:]),
		Files: []fat.File{
			// GRUB searches the folder from its start: the small files first.
			{Path: slot.GrubName, Data: p.Grub},
			{Path: slot.SumsName, Data: []byte(sums)},
			{Path: slot.ManifestName, Data: append(text, '\n')},
			{Path: slot.KernelName, Source: p.Kernel},
			{Path: slot.InitrdName, Source: p.Initrd},
		},
	}
	if err := fits(spec, p.Initrd); err != nil {
		return m, fmt.Errorf("assemble slot: %w", err)
	}
	if err := fat.Make(ctx, tools, out, spec); err != nil {
		return m, err
	}
	f, err := os.OpenFile(out, os.O_WRONLY, 0)
	if err != nil {
		return m, err
	}
	err = errors.Join(
		f.Truncate(int64(m.Size)),
		copyAt(ctx, f, p.Layout.RootOffset, p.Root),
		copyAt(ctx, f, p.Layout.HashOffset, p.Tree.Path),
		f.Close())
	if err != nil {
		return m, fmt.Errorf("assemble slot %s: %w", filepath.Base(out), err)
	}
	return m, nil
}

func (p Parts) manifest(ctx context.Context) (slot.Manifest, error) {
	l := p.Layout
	if l.RootHash != p.Tree.RootHash || l.RootSize != p.Tree.RootSize || l.HashOffset+p.Tree.Size > l.ImageSize() {
		return slot.Manifest{}, errors.New("the layout is of another root than the hash tree")
	}
	m := slot.Manifest{
		Version: l.Version, Arch: l.Arch, KernelRelease: p.KernelRelease,
		Size: l.ImageSize(), RootHash: l.RootHash,
		Root: slot.Digest{Size: p.Tree.RootSize, SHA256: p.Tree.RootSHA256},
	}
	for _, part := range []struct {
		file string
		to   *slot.Digest
	}{{p.Kernel, &m.Kernel}, {p.Initrd, &m.Initrd}} {
		digest, size, err := fileSHA256(ctx, part.file)
		if err != nil {
			return m, err
		}
		*part.to = slot.Digest{Size: size, SHA256: hex.EncodeToString(digest)}
	}
	return m, nil
}

func copyAt(ctx context.Context, to *os.File, offset uint64, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(io.NewOffsetWriter(to, int64(offset)), contextReader{ctx, f}); err != nil {
		return fmt.Errorf("copy %s to offset %d: %w", from, offset, err)
	}
	return nil
}
