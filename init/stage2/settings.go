package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// limits are what every process inherits; the kernel's own are those of a desktop of the nineties. Programs that want
// more files than the soft limit raise it: some close every file up to it when they start.
var limits = []struct {
	name     string
	resource int
	limit    syscall.Rlimit
}{
	{"open files", unix.RLIMIT_NOFILE, syscall.Rlimit{Cur: 1024, Max: 1 << 20}},
	{"processes", unix.RLIMIT_NPROC, syscall.Rlimit{Cur: infinity, Max: infinity}},
	{"core dumps", unix.RLIMIT_CORE, syscall.Rlimit{Cur: 0, Max: infinity}},
}

const infinity = ^uint64(0)

func setLimits() error {
	var errs []error
	for _, l := range limits {
		if err := syscall.Setrlimit(l.resource, &l.limit); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", l.name, err))
		}
	}
	return errors.Join(errs...)
}

// kernelSetting is a file of the kernel's and what is written to it.
type kernelSetting struct{ path, value string }

// parameters are the same on every machine. The sysctls that workloads care about are machined's.
var parameters = []kernelSetting{
	{"/proc/sys/kernel/hostname", "localhost"}, // Until machined knows better.
	{"/proc/sys/kernel/modprobe", program},     // For file systems, nftables expressions and the like.
	{"/proc/sys/kernel/ctrl-alt-del", "0"},     // Tell PID 1 with SIGINT, rather than reset at once.
	{"/proc/self/oom_score_adj", "-1000"},      // Never the one that is killed.
	// Go's heap is full of holes; a huge page over each makes memory of all of them. Programs that want such pages say so.
	{hugePages, "madvise"},
}

// hugePages is not there in every kernel.
const hugePages = "/sys/kernel/mm/transparent_hugepage/enabled"

func setKernelParameters() error {
	var errs []error
	for _, p := range parameters {
		err := writeFile(p.path, p.value)
		if p.path == hugePages && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
