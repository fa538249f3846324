// Package host sets what the machine is before anything runs on it: kernel modules and settings, its name and ID, and
// the files of /etc that are not the same on every machine.
package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/atomicfile"
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
	"kernel.pid_max":                pidMax(bits.UintSize), // every pod takes a few dozen
	"vm.max_map_count":              "262144",              // databases and search engines ask for it
	"kernel.dmesg_restrict":         "1",
	"kernel.kptr_restrict":          "1",
	"fs.protected_hardlinks":        "1",
	"fs.protected_symlinks":         "1",
}

// pidMax is the most that a kernel takes whose words have so many bits (PID_MAX_LIMIT of linux/threads.h).
func pidMax(bits int) string {
	if bits == 32 {
		return "32768"
	}
	return "4194304"
}

// Sysctls are the kernel's settings.
type Sysctls struct {
	Root  string // /proc/sys
	Saved string // file that remembers what was there before a config, until the next boot
}

// Set sets the sysctls that every machine has, then those of the config, and puts back what was there before those that
// no longer are in the config. What fails does not keep the others from being set.
func (s Sysctls) Set(configured map[string]string) error {
	before, problem := s.before()
	problems := []error{problem}
	all := maps.Clone(sysctls)
	for name, value := range before {
		if _, ours := sysctls[name]; !ours {
			all[name] = value
		}
	}
	for name, value := range configured {
		name = canonical(name)
		all[name] = value
		if _, known := before[name]; !known {
			if old, err := os.ReadFile(s.path(name)); err == nil {
				before[name] = strings.TrimSpace(string(old))
			}
		}
	}
	// Written first: machined may be killed between this and the next line.
	problems = append(problems, s.remember(before))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := os.WriteFile(s.path(name), []byte(all[name]+"\n"), 0o644); err != nil {
			_, ours := sysctls[name]
			if ours && errors.Is(err, os.ErrNotExist) {
				continue // a kernel that was built without it
			}
			problems = append(problems, fmt.Errorf("sysctl %s=%s: %w", name, all[name], cause(err)))
		}
	}
	return errors.Join(problems...)
}

// before are the values of sysctls that a config has set since the boot, as they were without.
func (s Sysctls) before() (map[string]string, error) {
	before := map[string]string{}
	text, err := os.ReadFile(s.Saved)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return before, nil
	case err == nil:
		err = json.Unmarshal(text, &before)
	}
	if err != nil {
		return map[string]string{}, fmt.Errorf("sysctls before the config: %w", err)
	}
	return before, nil
}

func (s Sysctls) remember(before map[string]string) error {
	if len(before) == 0 {
		return nil
	}
	text, err := json.Marshal(before)
	if err != nil {
		return err
	}
	return atomicfile.Write(s.Saved, text, 0o600)
}

func (s Sysctls) path(name string) string { return filepath.Join(s.Root, sysctlPath(name)) }

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
