package strict

import (
	"strconv"
	"strings"
)

// suggest completes "unknown field": the nearest field here, else the same name elsewhere, else what there is.
func (d *decoder) suggest(fields []Field, name string) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	if near := Nearest(name, names); near != "" {
		return "; did you mean " + strconv.Quote(near) + "?"
	}
	elsewhere := ""
	Walk(d.root, func(path string, f Field) {
		if elsewhere == "" && strings.EqualFold(f.Name, name) {
			elsewhere = path
		}
	})
	switch {
	case elsewhere != "":
		return "; it belongs at " + elsewhere
	case len(names) == 0:
		return ""
	}
	return "; the fields here are " + strings.Join(names, ", ")
}

// Nearest is the one of names that name is most likely a misspelling of; empty if none is near.
func Nearest(name string, names []string) string {
	best, bestDistance := "", len(name)/3+2
	for _, candidate := range names {
		a, b := strings.ToLower(name), strings.ToLower(candidate)
		d := distance(a, b)
		if len(b) > 2 && strings.Contains(a, b) {
			d = min(d, 3) // hostname for name
		}
		if d < bestDistance && d < len(candidate) {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap to get from a to b (optimal string alignment).
func distance(a, b string) int {
	const longest = 64 // nobody's field name; keeps the work bounded for hostile input
	a, b = a[:min(len(a), longest)], b[:min(len(b), longest)]
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
