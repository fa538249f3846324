package modules

import (
	"os"
	"slices"
	"strings"
)

// blacklist are the modules of the kernel argument modprobe.blacklist=NAME,NAME…, as modprobe(8) has it: devices do not get them,
// who asks for one by its name does.
func blacklist(cmdline string) []string {
	var names []string
	for word := range strings.FieldsSeq(cmdline) {
		list, ok := strings.CutPrefix(word, "modprobe.blacklist=")
		if !ok {
			continue
		}
		for name := range strings.SplitSeq(list, ",") {
			if name != "" {
				names = append(names, moduleName(name))
			}
		}
	}
	return names
}

// bootBlacklist is that of the running kernel.
func bootBlacklist() []string {
	b, _ := os.ReadFile("/proc/cmdline") // without it there is none
	return blacklist(string(b))
}

// resolve finds the modules that aliases stand for, without those on the blacklist.
func (l *Loader) resolve(aliases []string) (map[string][]string, error) {
	found, err := findAliases(l.files, aliases)
	for alias, names := range found {
		found[alias] = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(l.blacklist(), moduleName(name)) })
	}
	return found, err
}
