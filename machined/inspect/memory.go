package inspect

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// maxCgroups bounds the list of cgroups: some for each container.
const maxCgroups = 2000

// Cgroup is the memory of a cgroup and all below it.
type Cgroup struct {
	Path                     string // /podruntime
	Current, Anonymous, File uint64 // bytes
	OOMKills                 uint64
}

// Meminfo reads /proc/meminfo: bytes, or pages for what has no unit.
func (s System) Meminfo() (map[string]uint64, error) {
	text, err := read(s.Proc, "meminfo")
	if err != nil {
		return nil, err
	}
	return parseMeminfo(text)
}

func parseMeminfo(text string) (map[string]uint64, error) {
	m := map[string]uint64{}
	for l := range strings.Lines(text) {
		name, rest, found := strings.Cut(l, ":")
		f := strings.Fields(rest)
		if !found || len(f) == 0 {
			continue
		}
		n, err := strconv.ParseUint(f[0], 10, 54)
		if err != nil {
			return nil, fmt.Errorf("meminfo: %s: %w", valid(name), err)
		}
		if len(f) > 1 && f[1] == "kB" {
			n <<= 10
		}
		m[valid(name)] = n
	}
	return m, nil
}

// Cgroups lists the cgroups of the machine that count their memory.
func (s System) Cgroups() ([]Cgroup, error) {
	const root = "fs/cgroup"
	var list []Cgroup
	err := fs.WalkDir(s.Sys, root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil && gone(err) && name != root:
			return nil // the pod has ended
		case err != nil:
			return err
		case !e.IsDir():
			return nil
		case len(list) == maxCgroups:
			return fs.SkipAll
		}
		if exists(s.Sys, path.Join(name, "memory.current")) { // the root cgroup has none
			list = append(list, s.cgroup(name, strings.TrimPrefix(name, root)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list cgroups: %w", err)
	}
	return list, nil
}

func (s System) cgroup(dir, shown string) Cgroup {
	c := Cgroup{Path: valid(shown), Current: number(s.Sys, path.Join(dir, "memory.current"))}
	if text, err := read(s.Sys, path.Join(dir, "memory.stat")); err == nil {
		stat := pairs(text)
		c.Anonymous, c.File = stat["anon"], stat["file"]
	}
	if text, err := read(s.Sys, path.Join(dir, "memory.events")); err == nil {
		c.OOMKills = pairs(text)["oom_kill"]
	}
	return c
}

// CgroupAnonymous is the memory of one cgroup that is its programs' own, in bytes: without what the kernel keeps of files for
// them and can drop. 0 when it is not known.
func (s System) CgroupAnonymous(name string) uint64 {
	return s.cgroup(path.Join("fs/cgroup", name), name).Anonymous
}

// CgroupMemory is the memory of one cgroup, in bytes; 0 when it is not known.
func (s System) CgroupMemory(name string) uint64 {
	return number(s.Sys, path.Join("fs/cgroup", name, "memory.current"))
}
