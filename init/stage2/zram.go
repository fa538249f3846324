package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/coracle-os/coracle/init/kmsg"
	"github.com/coracle-os/coracle/init/modules"
)

// smallMemory is the size of RAM, in bytes, below which half as much is added as swap in compressed RAM. The kernel does not count
// what it took before: of 2 GiB, more than this is left.
const smallMemory = 1800 << 20

// zramSettings are what is written to the device before it is used, in this order. lz4 is the fastest to decompress.
func zramSettings(size uint64) []kernelSetting {
	return []kernelSetting{
		{"/sys/block/zram0/comp_algorithm", "lz4"},
		{"/sys/block/zram0/disksize", strconv.FormatUint(size, 10)},
	}
}

// swapSettings suit swap in compressed RAM: a page at a time, because reading ahead costs a decompression a page, and
// rather pages of the heap than of programs, which have to be read, verified and decompressed again.
var swapSettings = []kernelSetting{
	{"/proc/sys/vm/page-cluster", "0"},
	{"/proc/sys/vm/swappiness", "150"},
}

// setSwapping prepares for compressMemory. It is done before machined starts, so that the sysctls of the machine config
// go over it.
func setSwapping() error {
	size, err := zramSizeHere()
	if size == 0 || err != nil {
		return err
	}
	var errs []error
	for _, s := range swapSettings {
		errs = append(errs, writeFile(s.path, s.value))
	}
	return errors.Join(errs...)
}

// compressMemory adds swap in compressed RAM to a machine that has little.
func compressMemory(loader *modules.Loader) error {
	size, err := zramSizeHere()
	if size == 0 || err != nil {
		return err
	}
	if err := loader.Load("zram"); err != nil {
		return err
	}
	for _, s := range zramSettings(size) {
		if err := writeFile(s.path, s.value); err != nil {
			return err
		}
	}
	const device = "/dev/zram0"
	f, err := os.OpenFile(device, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(swapHeader(size, os.Getpagesize()))
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("make swap on %s: %w", device, err)
	}
	const prefer = 0x8000 | 100 // SWAP_FLAG_PREFER and a priority above that of a disk.
	if err := swapon(device, prefer); err != nil {
		return fmt.Errorf("use %s as swap: %w", device, err)
	}
	kmsg.Info(component, "%d MiB of swap in compressed memory", size>>20)
	return nil
}

// zramSizeHere is zramSize of this machine.
func zramSizeHere() (uint64, error) {
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	return zramSize(memTotal(string(meminfo)), uint64(os.Getpagesize())), nil
}

// zramSize is the size of the swap for a machine with total bytes of RAM, 0 for none.
func zramSize(total, page uint64) uint64 {
	if total == 0 || total >= smallMemory {
		return 0
	}
	return total / 2 / page * page
}

// memTotal is the bytes of RAM that /proc/meminfo tells, 0 if it does not.
func memTotal(meminfo string) uint64 {
	for line := range strings.Lines(meminfo) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// swapHeader is the first page of a swap area, union swap_header of linux/swap.h: version 1, the number of the last page,
// and the signature at the page's end.
func swapHeader(size uint64, page int) []byte {
	const version, info, signature = 1, 1024, "SWAPSPACE2"
	b := make([]byte, page)
	binary.NativeEndian.PutUint32(b[info:], version)
	binary.NativeEndian.PutUint32(b[info+4:], uint32(size/uint64(page)-1))
	copy(b[page-len(signature):], signature)
	return b
}
