package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// setReserve makes the kernel keep as little memory free as it would without huge pages. Where programs may ask for those it
// keeps 23 MiB of 512 free, and counts 65 as not available.
func setReserve() error {
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return err
	}
	kib := reserve(memTotal(string(meminfo)))
	if kib == 0 {
		return nil
	}
	return writeFile("/proc/sys/vm/min_free_kbytes", strconv.Itoa(kib))
}

// leastReserve is enough, in KiB, for what network cards ask for in one go.
const leastReserve = 4 << 10

// reserve is the kernel's own formula (mm/page_alloc.c, calculate_min_free_kbytes): KiB for a machine with total bytes of RAM,
// 0 when that is not known.
func reserve(total uint64) int {
	if total == 0 {
		return 0
	}
	return min(max(int(math.Sqrt(float64(total>>10)*16)), leastReserve), 256<<10)
}

// readNothingAhead has pages of the root read when they are needed and not around them. Programs are read here and there at
// their start; what is read around that is rarely needed, and has to be verified and decompressed all the same: "kube version" takes
// 9.7 s with 128 KiB read around and 5.7 s without, in emulation and with nothing cached. The root's blocks are larger than a page, so that reading a file from front to back loses
// nothing; machined asks for what it wants read ahead.
func readNothingAhead() error {
	var root unix.Stat_t
	if err := unix.Stat("/", &root); err != nil {
		return err
	}
	name := fmt.Sprintf("/sys/dev/block/%d:%d/queue/read_ahead_kb", unix.Major(root.Dev), unix.Minor(root.Dev))
	if err := writeFile(name, "0"); !errors.Is(err, os.ErrNotExist) { // in RAM there is nothing to read ahead
		return err
	}
	return nil
}
