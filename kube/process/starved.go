package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// starvedFrom is the part of a minute, in percent, for which some thread had to wait for a processor.
const starvedFrom = 50

// Starved is whether this process, with the others of its cgroup, has mostly waited for a processor in the last minute. A kernel that
// does not know says no.
func Starved() bool {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return false
	}
	_, dir, _ := strings.Cut(strings.TrimSpace(string(own)), "::") // cgroups(7)
	pressure, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", dir, "cpu.pressure"))
	return err == nil && starved(string(pressure))
}

// starved reads the kernel's Documentation/accounting/psi.rst.
func starved(pressure string) bool {
	var avg10, avg60 float64
	n, _ := fmt.Sscanf(pressure, "some avg10=%f avg60=%f", &avg10, &avg60)
	return n == 2 && avg60 >= starvedFrom
}
