// Package output writes results: tables for people, JSON and YAML for programs.
package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Format of a result.
type Format string

const (
	Table Format = "table"
	Wide  Format = "wide" // a table with more columns
	JSON  Format = "json"
	YAML  Format = "yaml"
)

// Formats are all there are.
var Formats = []Format{Table, Wide, JSON, YAML}

// Parse reads the name of a format.
func Parse(s string) (Format, error) {
	if slices.Contains(Formats, Format(s)) {
		return Format(s), nil
	}
	return "", fmt.Errorf("-o %s: there is no such format; there are table, wide, json and yaml", s)
}

// IsTable is whether people are to read it.
func (f Format) IsTable() bool { return f == Table || f == Wide }

// Value makes JSON of a result: a message of the API, or anything that package json takes. Fields that are not set are
// there too, so that a program can rely on them. Bytes are base64, numbers of 64 bits strings, as in all JSON of protobuf.
func Value(v any) (json.RawMessage, error) {
	if m, ok := v.(proto.Message); ok {
		text, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer // protojson varies its spaces
		if err := json.Compact(&b, text); err != nil {
			return nil, err
		}
		return b.Bytes(), nil
	}
	return json.Marshal(v)
}

// Write writes a value in JSON or YAML.
func Write(w io.Writer, f Format, v any) error {
	text, err := Value(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if f == YAML {
		var n yaml.Node
		if err := yaml.Unmarshal(text, &n); err != nil {
			return err
		}
		block(&n)
		e := yaml.NewEncoder(&b)
		e.SetIndent(2)
		if err := e.Encode(&n); err != nil {
			return err
		}
	} else {
		if err := json.Indent(&b, text, "", "  "); err != nil {
			return err
		}
		b.WriteByte('\n')
	}
	_, err = w.Write(b.Bytes())
	return err
}

// Line writes a value as JSON on one line, for a stream of them.
func Line(w io.Writer, v any) error {
	text, err := Value(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// block takes JSON's brackets and quotes away; the encoder puts quotes back where YAML needs them.
func block(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode && len(n.Content) > 0 {
		n.Style = 0
	}
	if n.Kind == yaml.ScalarNode && n.Style == yaml.DoubleQuotedStyle {
		// As a string of Go is written, which quotes what older parsers take for something else: no, on, 1:20.
		if text, err := yaml.Marshal(n.Value); err == nil && len(text) > 0 && text[0] != '"' && text[0] != '\'' {
			n.Style = 0
			n.SetString(n.Value)
		}
	}
	for _, c := range n.Content {
		block(c)
	}
}

// Grid is a table.
type Grid struct {
	Columns []Column
	Rows    [][]string
}

// Column of a table.
type Column struct {
	Name  string
	Right bool // numbers, so that their digits stand below each other
	Wide  bool // only with -o wide
}

// Columns makes columns of names; one that ends in + is only in a wide table, one that begins with > has numbers.
func Columns(names ...string) []Column {
	list := make([]Column, len(names))
	for i, name := range names {
		name, wide := strings.CutSuffix(name, "+")
		name, right := strings.CutPrefix(name, ">")
		list[i] = Column{name, right, wide}
	}
	return list
}

// Add adds a row.
func (g *Grid) Add(cells ...string) { g.Rows = append(g.Rows, cells) }

// Prefix puts a column before the others, which has the same value in every row.
func (g *Grid) Prefix(name, value string) {
	g.Columns = append(Columns(name), g.Columns...)
	for i := range g.Rows {
		g.Rows[i] = append([]string{value}, g.Rows[i]...)
	}
}

// Write writes the table. What comes from a machine may not move a terminal's cursor; colours are put in after that.
func (g Grid) Write(w io.Writer, f Format, p Palette) error {
	var shown []int
	for i, c := range g.Columns {
		if f == Wide || !c.Wide {
			shown = append(shown, i)
		}
	}
	width := make([]int, len(g.Columns))
	head := make([]string, len(g.Columns))
	rows := make([][]string, 0, len(g.Rows))
	for _, i := range shown {
		head[i] = g.Columns[i].Name
		width[i] = utf8.RuneCountInString(head[i])
	}
	for _, row := range g.Rows {
		clean := make([]string, len(g.Columns))
		for _, i := range shown {
			clean[i] = Clean(row[i])
			width[i] = max(width[i], utf8.RuneCountInString(clean[i]))
		}
		rows = append(rows, clean)
	}
	var b strings.Builder
	line := func(cells []string, paint bool) {
		var text strings.Builder
		for n, i := range shown {
			cell, space := cells[i], strings.Repeat(" ", width[i]-utf8.RuneCountInString(cells[i]))
			if paint {
				cell = p.word(cell)
			}
			switch last := n == len(shown)-1; {
			case g.Columns[i].Right:
				text.WriteString(space + cell)
			case last:
				text.WriteString(cell)
			default:
				text.WriteString(cell + space)
			}
			if n < len(shown)-1 {
				text.WriteString("  ")
			}
		}
		b.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	line(head, false)
	for _, row := range rows {
		line(row, true)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Clean takes out of a text what would control a terminal.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
}
