// Package strict reads a YAML document into Go structs and accepts nothing that the structs do not know.
//
// Every problem is found in one pass and says where it is: file, line, path, and for a misspelt field the nearest
// real one. What is allowed comes from the types and their struct tags:
//
//	yaml:"name"          the field's name; "-" hides it, ",inline" lifts the fields of a struct
//	enum:"a|b"           allowed values of a string, or of the strings in a list
//	default:"a,b"        value when the document does not set the field; lists are separated by commas
//	secret:"true"        [Redact] hides the value
//	required, example, applies
//	                     for documentation and for who puts a changed value in force; reading does not look at them
//
// A type with UnmarshalText decides for itself what it accepts.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what a document may expand to: aliases of aliases would otherwise grow without limit.
const maxNodes = 100_000

// MaxProblems is how many problems are reported at most.
const MaxProblems = 50

// Document remembers where in a file each path stands, for problems that are found after parsing.
type Document struct {
	file string
	at   map[string]position
}

type position struct{ line, column int }

// Problem makes a problem at path, at the line of the path or of its nearest parent that is in the file.
func (d *Document) Problem(path, format string, args ...any) Problem {
	p := Problem{File: d.file, Path: path, Message: fmt.Sprintf(format, args...)}
	for {
		if at, ok := d.at[path]; ok {
			p.Line, p.Column = at.line, at.column
			return p
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return p
		}
		path = path[:i]
	}
}

// Has is whether the document sets path.
func (d *Document) Has(path string) bool { _, ok := d.at[path]; return ok }

// Decode sets defaults in out, a pointer to a struct, then reads data, the content of file, over them.
// The error, if any, is of type [Problems].
func Decode(file string, data []byte, out any) (*Document, error) {
	doc := &Document{file: file, at: map[string]position{}}
	root := reflect.ValueOf(out).Elem()
	d := &decoder{doc: doc, root: root.Type()}
	setDefaults(root)
	node, err := Parse(file, data)
	if err != nil {
		return doc, err
	}
	d.value(root, node.Content[0], "", "")
	if len(d.problems) > 0 {
		return doc, d.problems
	}
	return doc, nil
}

// Parse reads the one YAML document that data, the content of file, holds, as a node of kind document with one node in it.
// The error, if any, is of type [Problems].
func Parse(file string, data []byte) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF), err == nil && len(doc.Content) == 0:
		return nil, Problems{{File: file, Message: "the file is empty"}}
	case err != nil:
		return nil, Problems{syntaxProblem(file, data, err)}
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, Problems{{File: file, Line: more.Line, Message: "a second document starts here; the file must hold one"}}
	case !errors.Is(err, io.EOF):
		return nil, Problems{syntaxProblem(file, data, err)}
	}
	return &doc, nil
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?(?s:(.*))$`)

// syntaxProblem takes the line out of an error of the YAML parser.
func syntaxProblem(file string, data []byte, err error) Problem {
	m := yamlLine.FindStringSubmatch(err.Error())
	p := Problem{File: file, Message: "not valid YAML: " + m[2]}
	p.Line, _ = strconv.Atoi(m[1])
	if strings.HasPrefix(m[2], "did not find expected") {
		// yaml.v3 counts these from 0, and gives the start of the block; in a block that starts in the first line, the
		// place, which may be after the end.
		p.Line = min(p.Line+1, 1+bytes.Count(bytes.TrimRight(data, "\n"), []byte("\n")))
		p.Message += ", here or in the block that starts here"
	}
	if strings.Contains(m[2], "cannot start any token") {
		p.Message += " (a tab? YAML is indented with spaces)"
	}
	return p
}
