package console

import (
	"strings"
	"unicode/utf8"
)

// spread puts one text at the left of a line and another at its right.
func spread(left, right string) string {
	gap := Columns - utf8.RuneCountInString(left) - utf8.RuneCountInString(right)
	return left + strings.Repeat(" ", max(1, gap)) + right
}

// wrap breaks text into lines of at most width columns, at spaces where there are some. Lines of the text stay lines.
func wrap(text string, width int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(strings.TrimRight(ascii(text), "\n"), "\n") {
		current := ""
		for word := range strings.FieldsSeq(paragraph) {
			for {
				separator := " "
				if current == "" {
					separator = ""
				}
				if len(current)+len(separator)+len(word) <= width {
					current += separator + word
					break
				}
				if current != "" {
					lines = append(lines, current)
					current = ""
					continue
				}
				lines = append(lines, word[:width])
				word = word[width:]
			}
		}
		lines = append(lines, current)
	}
	return lines
}

// ascii replaces what the kernel's built-in font may not have, and what would move the cursor.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r >= ' ' && r <= '~':
			b.WriteRune(r)
		case r == '…':
			b.WriteString("...")
		case r == '–' || r == '—':
			b.WriteByte('-')
		case r == '\t':
			b.WriteByte(' ')
		default:
			b.WriteByte('?')
		}
	}
	return b.String()
}
