package kmsg

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxText is how many bytes of text go into one record. The kernel refuses a write to /dev/kmsg of
// more than about 1,000 bytes (PRINTKRB_RECORD_MAX less its prefix), and a record is what a console shows in one piece.
const maxText = 850

// records splits text into what is written to /dev/kmsg, one string a write: a record for each
// line, and for each maxText bytes of a longer one. Every record names its level and component.
func records(level int, component, text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		for line != "" {
			n := cut(line)
			out = append(out, fmt.Sprintf("<%d>%s: %s\n", level, component, line[:n]))
			line = strings.TrimLeft(line[n:], " ")
		}
	}
	return out
}

// cut says how many bytes of line fit in a record: to the last space that fits, or else to the last
// whole character.
func cut(line string) int {
	if len(line) <= maxText {
		return len(line)
	}
	if i := strings.LastIndexByte(line[:maxText], ' '); i > maxText/2 {
		return i
	}
	n := maxText
	for n > maxText-utf8.UTFMax && !utf8.RuneStart(line[n]) {
		n--
	}
	return n
}
