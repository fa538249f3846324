package output

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Palette colours words; its zero value does not.
type Palette bool

// PaletteFor is for what w is: colours are for terminals, and not for those who do not want them (no-color.org).
func PaletteFor(w io.Writer, getenv func(string) string) Palette {
	return Palette(IsTerminal(w) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb")
}

// IsTerminal is whether a person sees what is written to w, or types what is read from it.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	bold   = "\x1b[1m"
	reset  = "\x1b[0m"
)

// words are those that say how something is.
var words = map[string]string{
	"ok": green, "ready": green, "running": green, "yes": green, "synced": green,
	"starting": yellow, "waiting": yellow, "stopping": yellow, "warning": yellow, "maintenance": yellow, "trying": yellow,
	"failed": red, "error": red, "stopped": red, "not ok": red, "unreachable": red,
}

func (p Palette) word(s string) string {
	if color, ok := words[s]; ok && bool(p) {
		return color + s + reset
	}
	return s
}

// Bold makes a heading.
func (p Palette) Bold(s string) string { return p.in(bold, s) }

// Good, Warn and Bad colour a text.
func (p Palette) Good(s string) string { return p.in(green, s) }
func (p Palette) Warn(s string) string { return p.in(yellow, s) }
func (p Palette) Bad(s string) string  { return p.in(red, s) }

func (p Palette) in(color, s string) string {
	if !p {
		return s
	}
	return color + s + reset
}
