package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// kubePID is where machined leaves the process number of kube.
const kubePID = "/run/coracle/kube/pid"

// pollEvery is how often is looked whether processes have ended.
const pollEvery = 50 * time.Millisecond

// cgroups are all in which there may be processes that have to end, those that depend on others first.
var cgroups = []string{cgroupPods, cgroupRuntime, cgroupMachined}

// stopKube stops kube, and it the pods, when machined has not: because it was not running, or was not done in
// time.
func stopKube() error {
	text, err := os.ReadFile(kubePID)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		return fmt.Errorf("%s has %q, not a process number", kubePID, text)
	}
	for asked := false; ; time.Sleep(pollEvery) {
		// A number that another process has by now is not in kube's cgroup.
		in, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if err != nil || !strings.HasPrefix(string(in), "0::/"+cgroupRuntime) {
			return nil
		}
		if !asked {
			asked = true
			if err := unix.Kill(pid, unix.SIGPWR); err != nil {
				return err
			}
		}
	}
}

// endProcesses asks all processes to end, and waits for them.
func endProcesses() error {
	// To all but this process, and so also to what is in none of the cgroups.
	if err := unix.Kill(-1, unix.SIGTERM); err != nil && err != unix.ESRCH {
		return err
	}
	for populated(cgroups...) {
		time.Sleep(pollEvery)
	}
	return nil
}

// killProcesses ends all processes but this one.
func killProcesses() error {
	var errs []error
	for _, name := range cgroups {
		errs = append(errs, killCgroup(name))
	}
	if err := unix.Kill(-1, unix.SIGKILL); err != nil && err != unix.ESRCH {
		errs = append(errs, err)
	}
	errs = append(errs, awaitEmpty(4*time.Second, cgroups...))
	return errors.Join(errs...)
}

// awaitEmpty waits until no process is left in cgroups that were killed, for at most limit.
func awaitEmpty(limit time.Duration, names ...string) error {
	for began := time.Now(); populated(names...); time.Sleep(pollEvery) {
		if time.Since(began) > limit {
			return errStubborn
		}
	}
	return nil
}
