// Package install copies the system that runs to the disk that the machine's config selects. What decides is in select.go and
// decide.go, and touches nothing; copy.go writes. docs/install.md tells it to users, docs/decisions/0120 why it is so.
package install

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/inspect"
)

// Errors of a selection, with the disks in their text.
var (
	ErrNone    = errors.New("no disk matches machine.install.disk")
	ErrSeveral = errors.New("several disks match machine.install.disk")
)

// criteria are what disks are selected by: why a disk does not match; empty if it does, or is not asked for that.
var criteria = []func(types.InstallDisk, inspect.Disk) string{
	func(_ types.InstallDisk, d inspect.Disk) string { return unfit(d.Name) },
	func(s types.InstallDisk, d inspect.Disk) string { return differs("serial", s.Serial, d.Serial) },
	func(s types.InstallDisk, d inspect.Disk) string { return mismatches("model", s.Model, d.Model) },
	func(s types.InstallDisk, d inspect.Disk) string {
		return differs("transport", s.Transport, d.Transport)
	},
	func(s types.InstallDisk, d inspect.Disk) string {
		if s.MinSize != 0 && d.Size < uint64(s.MinSize) {
			return fmt.Sprintf("its size is less than %v", s.MinSize)
		}
		return ""
	},
	func(s types.InstallDisk, d inspect.Disk) string {
		if s.MaxSize != 0 && d.Size > uint64(s.MaxSize) {
			return fmt.Sprintf("its size is more than %v", s.MaxSize)
		}
		return ""
	},
	func(s types.InstallDisk, d inspect.Disk) string {
		return mismatches("name", strings.TrimPrefix(s.Name, "/dev/"), d.Name)
	},
}

// notForSystems are devices that the kernel lists as disks.
var notForSystems = []struct {
	name *regexp.Regexp
	what string
}{
	{regexp.MustCompile(`^mmcblk\d+(boot|gp)\d+$`), "it is a part of an eMMC that is not for systems"},
	{regexp.MustCompile(`^sr\d+$`), "it is an optical drive"},
	{regexp.MustCompile(`^(fd|mtdblock|nbd|ram|zram|loop)\d+$`), "it is no disk of the machine"},
}

func unfit(name string) string {
	for _, n := range notForSystems {
		if n.name.MatchString(name) {
			return n.what
		}
	}
	return ""
}

func differs(what, wanted, has string) string {
	if wanted == "" || wanted == has {
		return ""
	}
	return missing(what, wanted, has)
}

func mismatches(what, pattern, has string) string {
	if pattern == "" || match(pattern, has) {
		return ""
	}
	return missing(what, pattern, has)
}

func missing(what, wanted, has string) string {
	if has == "" {
		return fmt.Sprintf("its %s is not known", what)
	}
	return fmt.Sprintf("its %s is not %q", what, wanted)
}

// match is whether s matches a pattern in which * stands for any text and ? for any character. All others stand for themselves.
func match(pattern, s string) bool {
	// As path.Match has it, but for what has a meaning to that only, and for slashes.
	const slash = "\x00"
	quoted := strings.NewReplacer(`\`, `\\`, "[", `\[`, "/", slash).Replace(pattern)
	ok, err := path.Match(quoted, strings.ReplaceAll(s, "/", slash))
	return ok && err == nil
}

// Select finds the disk that matches. The error says of all disks why they do not, or which do.
func Select(disks []inspect.Disk, s types.InstallDisk) (inspect.Disk, error) {
	if s == (types.InstallDisk{}) { // the config's check refuses it; here it would be any disk
		return inspect.Disk{}, fmt.Errorf("%w: it says nothing", ErrNone)
	}
	var matching []inspect.Disk
	var others []string
	for _, d := range disks {
		why := ""
		for _, c := range criteria {
			if why = c(s, d); why != "" {
				break
			}
		}
		if why == "" {
			matching = append(matching, d)
		} else {
			others = append(others, fmt.Sprintf("%s: %s", Describe(d), why))
		}
	}
	switch {
	case len(matching) == 1:
		return matching[0], nil
	case len(matching) > 1:
		var all []string
		for _, d := range matching {
			all = append(all, Describe(d))
		}
		return inspect.Disk{}, fmt.Errorf("%w: %s; narrow it, best with serial", ErrSeveral, strings.Join(all, ", "))
	case len(others) == 0:
		return inspect.Disk{}, fmt.Errorf("%w: the machine has no disk at all that the kernel knows", ErrNone)
	}
	return inspect.Disk{}, fmt.Errorf("%w. %s", ErrNone, strings.Join(others, ". "))
}

// Describe is a disk for a person: /dev/nvme0n1 (Samsung SSD 980, serial S649, nvme, 500 GB).
func Describe(d inspect.Disk) string {
	var parts []string
	for _, p := range []string{d.Model, prefixed("serial ", d.Serial), d.Transport, size(d.Size)} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if d.Boot {
		parts = append(parts, "the machine runs from it")
	}
	return fmt.Sprintf("/dev/%s (%s)", d.Name, strings.Join(parts, ", "))
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// size is a disk's as it is printed on it.
func size(n uint64) string {
	if n >= 1e12 {
		return fmt.Sprintf("%.1f TB", float64(n)/1e12)
	}
	return fmt.Sprintf("%.0f GB", float64(n)/1e9)
}
