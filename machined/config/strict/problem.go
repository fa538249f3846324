package strict

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in a document.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0: not known
	Path         string // such as machine.network.interfaces[0].name; empty: the whole document
	Message      string
}

func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems is everything that is wrong in a document, one line each.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// First returns the first n of ps, and a line that says how many more there are.
func (ps Problems) First(n int) Problems {
	if len(ps) <= n {
		return ps
	}
	more := Problem{File: ps[0].File, Message: fmt.Sprintf("%d more problems are not shown; correct these first", len(ps)-n)}
	return append(slices.Clip(ps[:n]), more)
}

// Sorted returns ps in the order of their lines.
func (ps Problems) Sorted() Problems {
	return slices.SortedStableFunc(slices.Values(ps), func(a, b Problem) int { return a.Line - b.Line })
}
