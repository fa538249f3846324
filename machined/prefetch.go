package main

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/host"
)

// prefetched are the programs that every start needs, in the order that it needs them in: kube, then what starts the first pod.
var prefetched = []string{
	kubeProgram.Path,
	"/usr/bin/containerd-shim-runc-v2", "/usr/bin/runc",
	"/opt/cni/bin/bridge", "/opt/cni/bin/host-local", "/opt/cni/bin/portmap",
}

// hotSections of a program are needed for the most part at its start, by a single thread that waits for each block to be read,
// verified and decompressed: first the types that the Go runtime walks through, then the code. It jumps about in both.
var hotSections = []string{".rodata", ".text"}

const (
	// prefetchMemory is how much memory has to be free, in bytes, so that what is read stays there until it is used.
	prefetchMemory = 512 << 20
	prefetchStep   = 1 << 20 // bytes that are asked for in one call
)

// prefetchPrograms has programs read from front to back by a second processor while the first starts kube. Where there is no other,
// or little memory, they read what they need themselves.
func (d *daemon) prefetchPrograms(context.Context) error {
	if _, err := os.Stat(control.SettingsPath); err == nil {
		return nil // kube was started since the machine was: machined begins again
	}
	_, available, err := host.Memory()
	if err != nil || available < prefetchMemory || runtime.NumCPU() == 1 {
		return err
	}
	go func() {
		for _, path := range prefetched {
			if err := prefetch(path); err != nil {
				d.log.Info("a program is not read ahead", "error", err)
			}
		}
	}()
	return nil
}

// prefetch reads a program's hot sections into the page cache.
func prefetch(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	program, err := elf.NewFile(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range hotSections {
		section := program.Section(name)
		if section == nil {
			return fmt.Errorf("%s has no section %s", path, name)
		}
		for offset := section.Offset; offset < section.Offset+section.FileSize; offset += prefetchStep {
			if err := unix.Fadvise(int(file.Fd()), int64(offset), prefetchStep, unix.FADV_WILLNEED); err != nil {
				return fmt.Errorf("read %s ahead: %w", path, err)
			}
		}
	}
	return nil
}
