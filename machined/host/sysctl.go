// Package host sets what the machine is before anything runs on it: kernel modules and settings, its name and ID, and
// the files of /etc that are not the same on every machine.
package host

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sysctls are what Kubernetes needs beyond the kernel's defaults. Those of the pod network are kube's.
var sysctls = map[string]string{
	// What the kubelet checks (pkg/kubelet/cm, setupKernelTunables).
	"vm.overcommit_memory":          "1",
	"vm.panic_on_oom":               "0",
	"kernel.panic":                  "10",
	"kernel.panic_on_oops":          "1",
	"kernel.keys.root_maxkeys":      "1000000",
	"kernel.keys.root_maxbytes":     "25000000",
	"fs.inotify.max_user_instances": "8192", // 128 is used up by a dozen pods that watch files
	"fs.inotify.max_user_watches":   "524288",
	"kernel.pid_max":                "4194304", // every pod takes a few dozen
	"vm.max_map_count":              "262144",  // databases and search engines ask for it
	"kernel.dmesg_restrict":         "1",
	"kernel.kptr_restrict":          "1",
	"fs.protected_hardlinks":        "1",
	"fs.protected_symlinks":         "1",
}

// SetSysctls sets the sysctls that every machine has, then those of the config. What fails does not keep the others
// from being set.
func SetSysctls(root string, configured map[string]string) error {
	all := maps.Clone(sysctls)
	var names []string
	for name, value := range configured {
		all[canonical(name)] = value
	}
	names = slices.Sorted(maps.Keys(all))
	var problems []error
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(root, sysctlPath(name)), []byte(all[name]+"\n"), 0o644); err != nil {
			_, ours := sysctls[name]
			if ours && errors.Is(err, os.ErrNotExist) {
				continue // a kernel that was built without it
			}
			problems = append(problems, fmt.Errorf("sysctl %s=%s: %w", name, all[name], cause(err)))
		}
	}
	return errors.Join(problems...)
}

// canonical is a sysctl's name with dots, as sysctl(8) writes it: where the first separator is a slash, slashes
// separate and dots belong to names (net/ipv4/conf/eth0.5/forwarding).
func canonical(name string) string {
	if i := strings.IndexAny(name, "./"); i < 0 || name[i] == '.' {
		return name
	}
	return swap(name)
}

// sysctlPath is the file of a sysctl whose name is canonical.
func sysctlPath(name string) string { return swap(name) }

func swap(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, s)
}

// cause is an error without the path that it is about.
func cause(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
