package main

import "strings"

// verityModules are the modules, or their aliases, that opening a root through dm-verity takes with this hash algorithm. crypto is
// /proc/crypto: of an algorithm that the kernel has in itself, modules.alias knows nothing.
func verityModules(algorithm, crypto string) []string {
	names := []string{"dm-mod", "dm-verity"}
	for line := range strings.Lines(crypto) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "name" && strings.TrimSpace(value) == algorithm {
			return names
		}
	}
	return append(names, "crypto-"+algorithm)
}
