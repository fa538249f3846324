package hardware

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// Memory is whether the kernel can limit the memory of cgroups. Kubernetes does not start without.
type Memory struct {
	Limited  bool
	Disabled bool // by the kernel's arguments
}

// ReadMemory asks the kernel; root is the root file system, with /proc and /sys. The firmware of the Raspberry Pi adds
// cgroup_disable=memory for kernels that it starts itself. What counts is the controllers that there are: a kernel may be built
// without.
func ReadMemory(root fs.FS) (Memory, error) {
	controllers := strings.Fields(read(root, "sys/fs/cgroup/cgroup.controllers"))
	if len(controllers) == 0 {
		return Memory{}, errors.New("which cgroup controllers the kernel has: /sys/fs/cgroup/cgroup.controllers cannot be read, or is empty")
	}
	return Memory{
		Limited:  slices.Contains(controllers, "memory"),
		Disabled: disables(read(root, "proc/cmdline"), "memory"),
	}, nil
}

// disables is whether a kernel's command line takes a cgroup controller away (Documentation/admin-guide/kernel-parameters.txt).
func disables(cmdline, controller string) bool {
	for argument := range strings.FieldsSeq(cmdline) {
		list, found := strings.CutPrefix(argument, "cgroup_disable=")
		if found && slices.Contains(strings.Split(strings.Trim(list, `"`), ","), controller) {
			return true
		}
	}
	return false
}
