package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// mounted is a line of /proc/self/mountinfo.
type mounted struct {
	target, kind, source string
}

// kept are the places whose file systems stay mounted, with all below: they are the kernel's own, and there is nothing
// to write out. Of /run and / it is only the place itself.
var kept = []string{"/proc", "/sys", "/dev"}

// toUnmount lists what has to be unmounted according to /proc/self/mountinfo (proc_pid_mountinfo(5)), in order: what was
// mounted last comes first.
func toUnmount(mountinfo string) []mounted {
	var all []mounted
lines:
	for line := range strings.Lines(mountinfo) {
		// Some fields are optional: a lone hyphen ends them.
		front, back, ok := strings.Cut(line, " - ")
		fields, rest := strings.Fields(front), strings.Fields(back)
		if !ok || len(fields) < 5 || len(rest) < 2 {
			continue
		}
		m := mounted{target: unescape(fields[4]), kind: rest[0], source: unescape(rest[1])}
		if m.target == "/" || m.target == "/run" {
			continue
		}
		for _, k := range kept {
			if m.target == k || strings.HasPrefix(m.target, k+"/") {
				continue lines
			}
		}
		all = append(all, m)
	}
	slices.Reverse(all)
	return all
}

// unescape undoes the kernel's way of writing space, tab, newline and backslash: a backslash and three octal
// digits.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, ok := octal(s[i+1 : i+4]); ok {
				b.WriteByte(c)
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(digits string) (byte, bool) {
	n := 0
	for _, d := range []byte(digits) {
		if d < '0' || d > '7' {
			return 0, false
		}
		n = n*8 + int(d-'0')
	}
	return byte(n), n < 256
}

// unmountAll unmounts everything that could have something to write. What is in use is tried again: the kernel
// ends a process a little later than the process does. What stays in use is made read-only, which writes out as
// well, and detached. What hangs may only be slow, and is given until the end of the step.
func unmountAll() error {
	const rounds, pause = 10, 200 * time.Millisecond
	began := time.Now()
	kernel := newPatience()
	var left []mounted
	for range rounds {
		text, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			return err
		}
		left = nil
		for _, m := range toUnmount(string(text)) {
			if kernel.try(m.target, m.unmount) != nil {
				left = append(left, m)
			}
		}
		if len(left) == 0 && len(kernel.hanging()) == 0 {
			return nil
		}
		time.Sleep(pause)
	}
	var errs []error
	for _, m := range left {
		if err := kernel.try(m.target, m.giveUp); err != nil && !errors.Is(err, errHangs) {
			errs = append(errs, fmt.Errorf("%s (%s on %s) stays in use: %w", m.target, m.kind, m.source, err))
		}
	}
	for len(kernel.hanging()) > 0 && time.Since(began) < unmountLimit-time.Second {
		time.Sleep(pollEvery)
	}
	for _, target := range kernel.hanging() {
		errs = append(errs, fmt.Errorf("%s: %w", target, errHangs))
	}
	return errors.Join(errs...)
}

func (m mounted) unmount() error {
	flags := unix.UMOUNT_NOFOLLOW
	if strings.HasPrefix(m.kind, "nfs") {
		flags |= unix.MNT_FORCE // Does not wait for a server.
	}
	return unix.Unmount(m.target, flags)
}

// giveUp is what can be done about a mount that stays in use.
func (m mounted) giveUp() error {
	var err error
	if strings.HasPrefix(m.source, "/dev/") {
		err = unix.Mount("", m.target, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	if e := unix.Unmount(m.target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err == nil {
		err = e
	}
	return err
}

// stopSwapping stops using disks as swap, which keeps their file systems in use. Compressed memory ends with the
// machine.
func stopSwapping() error {
	text, err := os.ReadFile("/proc/swaps")
	if err != nil {
		return nil // A kernel without swap.
	}
	var errs []error
	for _, path := range swapsOnDisk(string(text)) {
		if err := swapoff(path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// swapsOnDisk reads /proc/swaps: a line of headings, then a line for each with the path first.
func swapsOnDisk(swaps string) []string {
	var paths []string
	for line := range strings.Lines(swaps) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], "/") && !strings.HasPrefix(f[0], "/dev/zram") {
			paths = append(paths, unescape(f[0]))
		}
	}
	return paths
}
