// Package grubenv reads and writes GRUB's environment block: a file of 1024 bytes that both the boot loader and the
// running system change in place.
package grubenv

import (
	"bytes"
	"fmt"
	"strings"
)

// Size of the block in bytes. GRUB takes others too, but gives no file another size.
const Size = 1024

// Sector is how many bytes a disk writes at once at least. All variables are kept within the first sector, so that
// a change of several of them is one write that a power cut cannot tear.
const Sector = 512

// signature is the first line of every block.
const signature = "# GRUB Environment Block\n"

// State are the variables of the boot; configs/grub/boot.cfg has the state machine. A slot is "a" or "b".
type State struct {
	Active string // slot that is known to be good
	Try    string // slot to boot once; GRUB clears it before it does
	Tried  string // last slot that was booted by Try
	Failed string // slot that could not be loaded when it was tried
}

// names of the variables, in the order in which they are written.
func (s *State) fields() []struct {
	name  string
	value *string
} {
	return []struct {
		name  string
		value *string
	}{{"active", &s.Active}, {"failed", &s.Failed}, {"tried", &s.Tried}, {"try", &s.Try}}
}

// Valid is whether GRUB believes the block: it has an active slot.
func (s State) Valid() bool { return s.Active == "a" || s.Active == "b" }

// Block is the state as GRUB reads it. Values must be words of letters, digits and -_.: without anything GRUB would
// have to escape.
func (s State) Block() ([]byte, error) {
	block := []byte(signature)
	for _, f := range s.fields() {
		if !isWord(*f.value) {
			return nil, fmt.Errorf("GRUB environment: %s=%q has characters that are not allowed", f.name, *f.value)
		}
		block = fmt.Appendf(block, "%s=%s\n", f.name, *f.value)
	}
	if len(block) > Sector {
		return nil, fmt.Errorf("GRUB environment: %d bytes of variables do not fit the first sector of %d", len(block), Sector)
	}
	return append(block, bytes.Repeat([]byte{'#'}, Size-len(block))...), nil
}

// Parse reads a block as GRUB would (grub_envblk_iterate in its lib/envblk.c), be it damaged. Variables that boot.cfg
// does not know are left out.
func Parse(block []byte) (State, error) {
	var s State
	if len(block) <= len(signature) {
		return s, fmt.Errorf("GRUB environment: %d bytes are too few", len(block))
	}
	rest, ok := bytes.CutPrefix(block, []byte(signature))
	if !ok {
		return s, fmt.Errorf("GRUB environment: it does not start with %q", strings.TrimSpace(signature))
	}
	for len(rest) > 0 {
		if rest[0] == '#' { // a comment, or the padding
			rest = rest[min(lineEnd(rest)+1, len(rest)):]
			continue
		}
		name, tail, found := bytes.Cut(rest, []byte{'='}) // be it on a later line
		end := lineEnd(tail)
		if !found || end >= len(tail) {
			break
		}
		for _, f := range s.fields() {
			if f.name == cString(name) {
				*f.value = cString(unescape(tail[:end]))
			}
		}
		rest = tail[end+1:]
	}
	return s, nil
}

// lineEnd is where the first line ends that is not continued by a backslash; at or beyond the end if it does not.
func lineEnd(b []byte) int {
	i := 0
	for i < len(b) && b[i] != '\n' {
		if b[i] == '\\' {
			i++
		}
		i++
	}
	return i
}

// unescape takes out the backslash before each character that has one.
func unescape(b []byte) []byte {
	var out []byte
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' {
			i++
		}
		out = append(out, b[i])
	}
	return out
}

// cString is what is before the first zero byte, which ends a string for GRUB.
func cString(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
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
