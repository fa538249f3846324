package main

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/config/change"
	"github.com/coracle-os/coracle/machined/config/strict"
)

// section is a place in the reference for the fields below a path. "document" is for those of the document itself.
var section = regexp.MustCompile(`(?s)(<!-- fields: (\S+) -->\n).*?(<!-- end -->)`)

const document = "document"

// writeReference fills the sections of page. A field is in the section of the longest path that it is below.
func writeReference(page []byte, all []field) ([]byte, error) {
	var paths []string
	for _, m := range section.FindAllSubmatch(page, -1) {
		paths = append(paths, string(m[2]))
	}
	for i, p := range paths {
		known := p == document || slices.ContainsFunc(all, func(f field) bool { return f.path == p })
		if !known || slices.Contains(paths[:i], p) {
			return nil, fmt.Errorf("the section %s is there twice, or there is no such field", p)
		}
	}
	rows := map[string][]field{}
	intro := map[string]string{}
	for _, f := range all {
		if slices.Contains(paths, f.path) {
			intro[f.path] = "\n" + prose(f.comment) + "\n"
			continue
		}
		at := home(f.path, paths)
		if at == "" {
			return nil, fmt.Errorf("there is no section for %s; add <!-- fields: PATH --> and <!-- end -->", f.path)
		}
		rows[at] = append(rows[at], f)
	}
	return section.ReplaceAllFunc(page, func(old []byte) []byte {
		m := section.FindSubmatch(old)
		path := string(m[2])
		return slices.Concat(m[1], []byte(intro[path]), table(rows[path]), m[3])
	}), nil
}

// home is the section that a field belongs in.
func home(path string, sections []string) string {
	best := ""
	for _, s := range sections {
		rest, below := strings.CutPrefix(path, s)
		below = below && (rest == "" || rest[0] == '.' || rest[0] == '[')
		if s == document {
			below = !strings.Contains(path, ".")
		}
		if below && (len(s) > len(best) || best == document) {
			best = s
		}
	}
	return best
}

func table(rows []field) []byte {
	var b bytes.Buffer
	b.WriteString("\n| field | type | default | example | a change takes effect | |\n|---|---|---|---|---|---|\n")
	for _, f := range rows {
		example := ""
		if !f.group && !ofGroups(f.Type) || f.Example != "" {
			example = code(f.example())
		}
		cells := []string{code(f.path), typeName(f.Type, f.Enum), f.defaultCell(), example, takesEffect[change.NeedOf(f.Applies)], prose(f.comment)}
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(c, "|", `\|`)
		}
		b.WriteString(strings.TrimSpace("| "+strings.Join(cells, " | ")) + " |\n")
	}
	b.WriteString("\n")
	return b.Bytes()
}

// defaultCell is what a field has when it is not set.
func (f field) defaultCell() string {
	switch t := f.Type; {
	case f.Required:
		return "required"
	case f.group:
		return ""
	case f.fallback != "":
		return prose(f.fallback)
	case f.Default != "" && t.Kind() == reflect.Slice && !strict.IsText(t):
		return code("[" + strings.ReplaceAll(f.Default, ",", ", ") + "]")
	case f.Default != "":
		return code(f.Default)
	case t.Kind() == reflect.Bool:
		return code("false")
	case f.Secret || strict.IsText(t) || t.Kind() == reflect.String || t.Kind() == reflect.Slice || t.Kind() == reflect.Map:
		return "none"
	}
	return code("0")
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// prose keeps Markdown from reading more into a comment than is in it.
func prose(s string) string {
	return strings.NewReplacer("*", `\*`, "<", "&lt;", "_", `\_`).Replace(s)
}
