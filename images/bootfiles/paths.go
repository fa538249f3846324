package bootfiles

import (
	"fmt"
	"strings"
)

// others are paths on BOOT that no image may carry, in lower case, and what is there. A folder ends with a slash, and stands for all
// that is in it.
//
// What decides which slot is booted is among them: a version that had been confirmed could else take that away from the other one, or
// from both, and no trial would have shown it.
var others = []struct{ path, what string }{
	{"coracle/", "GRUB's configuration and environment, which decide which slot is booted, and custom.cfg, which is a person's"},
	{"machine.yaml", "the machine config of a person"},
	{"machine.yaml.imported", "the machine config of a person"},
}

// names are the characters of which names on BOOT are made: those that FAT, the firmware and the kernel, which mounts it without a
// character set, agree on.
const names = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-"

// checkPath looks at a path on BOOT.
func checkPath(p string) error {
	if len(p) > 200 {
		return fmt.Errorf("path %.20q… has %d bytes, at most 200", p, len(p))
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || strings.Trim(part, names) != "" || part[0] == '.' || part[len(part)-1] == '.' {
			return fmt.Errorf("%q is no path on BOOT", p)
		}
		if IsTemporary(part) {
			return fmt.Errorf("%q is the name of a file that is being written", p)
		}
	}
	folded := strings.ToLower(p)
	for _, o := range others {
		if folded == strings.TrimSuffix(o.path, "/") || strings.HasSuffix(o.path, "/") && strings.HasPrefix(folded, o.path) {
			return fmt.Errorf("%q does not belong to the system: there is %s", p, o.what)
		}
	}
	return nil
}

// A file is written under a temporary name in its folder. It is one that FAT has in a single directory entry, as that is removed in one
// piece.
const temporaryFormat = "boot-%03d.new"

// Temporary is the name under which the file with that number, below 1000, is written before it is renamed.
func Temporary(number int) string { return fmt.Sprintf(temporaryFormat, number) }

// IsTemporary is whether a name is one of [Temporary].
func IsTemporary(name string) bool {
	var n int
	folded := strings.ToLower(name)
	_, err := fmt.Sscanf(folded, temporaryFormat, &n)
	return err == nil && n >= 0 && n < 1000 && folded == Temporary(n)
}
