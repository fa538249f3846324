package modules

import (
	"os"
	"slices"
	"strings"
)

// cmdlinePath is where the kernel's arguments are.
const cmdlinePath = "/proc/cmdline"

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
				names = append(names, strings.ReplaceAll(name, "-", "_"))
			}
		}
	}
	return names
}

// bootBlacklist is that of the running kernel.
func bootBlacklist() []string {
	b, err := os.ReadFile(cmdlinePath)
	if err != nil {
		return nil
	}
	return blacklist(string(b))
}

// without leaves the modules out that are on the list.
func without(list []string, found map[string][]string) map[string][]string {
	if len(list) == 0 {
		return found
	}
	for alias, names := range found {
		found[alias] = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			return slices.Contains(list, strings.ReplaceAll(name, "-", "_"))
		})
	}
	return found
}
