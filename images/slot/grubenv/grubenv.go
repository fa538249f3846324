// Package grubenv reads and writes GRUB's environment block: a file of 1024 bytes that both the boot loader and the
// running system change in place.
package grubenv

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Size of the block in bytes; GRUB refuses any other.
const Size = 1024

// Sector is how many bytes a disk writes at once at least. All variables are kept within the first sector, so that
// a change of several of them is one write that a power cut cannot tear.
const Sector = 512

// signature is the first line of every block.
const signature = "# GRUB Environment Block\n"

// The variables of the boot: configs/grub/boot.cfg has the state machine.
const (
	Active = "active" // slot that is known to be good: a or b
	Try    = "try"    // slot to boot once; GRUB clears it before it does
	Tried  = "tried"  // last slot that was booted by Try
)

// Format makes a block of the variables, sorted by name. Names and values must be words of letters, digits and -_.:
// without anything GRUB would have to escape.
func Format(vars map[string]string) ([]byte, error) {
	names := make([]string, 0, len(vars))
	for name := range vars {
		names = append(names, name)
	}
	slices.Sort(names)
	block := []byte(signature)
	for _, name := range names {
		if name == "" || !isWord(name) || !isWord(vars[name]) {
			return nil, fmt.Errorf("GRUB environment: %q=%q has characters that are not allowed", name, vars[name])
		}
		block = fmt.Appendf(block, "%s=%s\n", name, vars[name])
	}
	if len(block) > Sector {
		return nil, fmt.Errorf("GRUB environment: %d bytes of variables do not fit the first sector of %d", len(block), Sector)
	}
	return append(block, bytes.Repeat([]byte{'#'}, Size-len(block))...), nil
}

// Parse reads a block. It returns what GRUB would understand.
func Parse(block []byte) (map[string]string, error) {
	if len(block) != Size {
		return nil, fmt.Errorf("GRUB environment: %d bytes, want %d", len(block), Size)
	}
	rest, ok := bytes.CutPrefix(block, []byte(signature))
	if !ok {
		return nil, fmt.Errorf("GRUB environment: it does not start with %q", strings.TrimSpace(signature))
	}
	vars := map[string]string{}
	for len(rest) > 0 {
		line, after, ended := bytes.Cut(rest, []byte{'\n'})
		if !ended {
			break // the padding
		}
		rest = after
		name, value, ok := strings.Cut(string(line), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		vars[name] = value
	}
	return vars, nil
}

func isWord(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.:", c) >= 0:
		default:
			return false
		}
	}
	return true
}
