package inspect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxMounts bounds the list: each volume of each pod is one.
const maxMounts = 5000

// Mount is a mounted file system.
type Mount struct {
	Device           string // major:minor
	Source, Target   string
	Type             string
	Options          string
	Total, Available uint64 // bytes; 0: not known
}

// local are the file systems that are asked how full they are: statfs(2) on one that is elsewhere, such as NFS, waits
// for a server, perhaps for ever.
var local = []string{"ext4", "vfat", "tmpfs", "squashfs", "erofs", "xfs", "btrfs"}

// Mounts lists what is mounted where machined sees it.
func (s System) Mounts() ([]Mount, error) { return s.mounts(statfs) }

func (s System) mounts(statfs func(path string) (total, available uint64, err error)) ([]Mount, error) {
	text, err := read(s.Proc, "self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	list := parseMountinfo(text)
	type space struct{ total, available uint64 }
	known := map[string]space{} // by device: a volume is often mounted in several places
	for i, m := range list {
		list[i].Source, list[i].Target, list[i].Options = valid(m.Source), valid(m.Target), valid(m.Options)
		if !slices.Contains(local, m.Type) {
			continue
		}
		sp, asked := known[m.Device]
		if !asked {
			if total, available, err := statfs(m.Target); err == nil {
				sp = space{total, available}
				known[m.Device] = sp
			}
		}
		list[i].Total, list[i].Available = sp.total, sp.available
	}
	return list, nil
}

func statfs(path string) (total, available uint64, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, 0, err
	}
	block := uint64(fs.Bsize)
	return fs.Blocks * block, fs.Bavail * block, nil
}

// parseMountinfo reads /proc/self/mountinfo (proc_pid_mountinfo(5)). Lines that are none are left out.
func parseMountinfo(text string) []Mount {
	var list []Mount
	for l := range strings.Lines(text) {
		before, after, found := strings.Cut(l, " - ")
		b, a := strings.Fields(before), strings.Fields(after)
		if !found || len(b) < 6 || len(a) < 2 || len(list) == maxMounts {
			continue
		}
		list = append(list, Mount{Device: valid(b[2]), Target: unescape(b[4]), Options: b[5], Type: valid(a[0]), Source: unescape(a[1])})
	}
	return list
}

// unescape undoes the kernel's \OOO for space, tab, newline and backslash.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
