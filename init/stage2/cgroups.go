package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const cgroupRoot = "/sys/fs/cgroup"

// The cgroups that init makes, below cgroupRoot. The kubelet makes kubepods.
const (
	cgroupInit     = "init"
	cgroupMachined = "machined"
	cgroupRuntime  = "podruntime"
	cgroupPods     = "kubepods"
)

// weights are the cgroups that init makes, and their shares of the processors (cpu.weight) when there is more to do than these can. All pods
// together have what the kubelet gives kubepods by the number of processors: 39 for one, 156 for four. So pods that are always busy do not
// keep Kubernetes from answering, and an upgrade that is unpacked does not either (docs/decisions/0160-starved-machines.md).
var weights = []struct{ cgroup, weight string }{
	{cgroupInit, "1000"}, {cgroupMachined, "100"}, {cgroupRuntime, "400"},
}

// makeCgroups enables every controller for the cgroups below the root, makes them, and moves init into its own.
func makeCgroups() error {
	controllers, err := os.ReadFile(filepath.Join(cgroupRoot, "cgroup.controllers"))
	if err != nil {
		return err
	}
	var errs []error
	for name := range strings.FieldsSeq(string(controllers)) {
		// One at a time: one that cannot be enabled must not keep the others from it.
		if err := writeFile(filepath.Join(cgroupRoot, "cgroup.subtree_control"), "+"+name); err != nil {
			errs = append(errs, fmt.Errorf("enable cgroup controller %s: %w", name, err))
		}
	}
	for _, w := range weights {
		dir := filepath.Join(cgroupRoot, w.cgroup)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, writeFile(filepath.Join(dir, "cpu.weight"), w.weight))
	}
	errs = append(errs, writeFile(filepath.Join(cgroupRoot, cgroupInit, "cgroup.procs"), "1"))
	return errors.Join(errs...)
}

// populated reports whether a process is left in one of the cgroups or below it.
func populated(names ...string) bool {
	for _, name := range names {
		events, err := os.ReadFile(filepath.Join(cgroupRoot, name, "cgroup.events"))
		if err == nil && strings.Contains(string(events), "populated 1") {
			return true
		}
	}
	return false
}

// killCgroup kills every process in a cgroup and below it, frozen ones too, and none that is forked meanwhile
// escapes.
func killCgroup(name string) error {
	err := writeFile(filepath.Join(cgroupRoot, name, "cgroup.kill"), "1")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// writeFile writes to a file of the kernel's, which is there or is not: unlike os.WriteFile it makes none.
func writeFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
