package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/coracle-os/coracle/machined/config/strict"
)

// comments are those of the types' source.
type comments struct {
	types  map[string]string   // by type
	fields map[string]string   // by Type.Field
	values map[string][]string // by type, of its constants that have one: "value: comment"
}

func readComments(dir string) (comments, error) {
	c := comments{types: map[string]string{}, fields: map[string]string{}, values: map[string][]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		return c, fmt.Errorf("no Go files in %s: %w", dir, os.ErrNotExist)
	}
	set := token.NewFileSet()
	for _, name := range files {
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			return c, err
		}
		for _, d := range file.Decls {
			if d, ok := d.(*ast.GenDecl); ok {
				c.declaration(d)
			}
		}
	}
	return c, nil
}

func (c comments) declaration(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			name := spec.Name.Name
			c.types[name] = withoutName(name, text(spec.Doc, d.Doc))
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					for _, n := range f.Names {
						c.fields[name+"."+n.Name] = text(f.Doc, f.Comment)
					}
				}
			}
		case *ast.ValueSpec:
			of, named := spec.Type.(*ast.Ident)
			if !named || len(spec.Values) != 1 {
				continue
			}
			if value, ok := spec.Values[0].(*ast.BasicLit); ok && value.Kind == token.STRING {
				s, _ := strconv.Unquote(value.Value)
				if t := text(spec.Doc, spec.Comment); t != "" {
					c.values[of.Name] = append(c.values[of.Name], s+": "+t)
				}
			}
		}
	}
}

// text is the first of groups that says something, on one line.
func text(groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if t := strings.Join(strings.Fields(g.Text()), " "); t != "" {
			return t
		}
	}
	return ""
}

// withoutName takes the name from a type's comment, and "is": "Time is where the clock is set from." says of a field of that
// type where the clock is set from.
func withoutName(name, comment string) string {
	rest, found := strings.CutPrefix(comment, name+" ")
	if !found {
		return comment
	}
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, "is "), "are ")
	return strings.ToUpper(rest[:1]) + rest[1:]
}

// of is what the source says of a field: its own comment, else that of its type; and of the values that it may have, those
// that the comment does not explain itself.
func (c comments) of(f strict.Field) string {
	comment := c.fields[f.Owner.Name()+"."+f.GoName]
	if comment == "" && f.Type.Kind() == reflect.Struct {
		comment = c.types[f.Type.Name()]
	}
	for _, value := range c.values[f.Type.Name()] {
		name, _, _ := strings.Cut(value, ":")
		if strings.Contains(comment, name) {
			continue
		}
		if comment != "" && !strings.HasSuffix(comment, ".") {
			comment += "."
		}
		comment = strings.TrimSpace(comment + " " + value)
	}
	if comment != "" && !strings.HasSuffix(comment, ".") {
		comment += "."
	}
	return comment
}
