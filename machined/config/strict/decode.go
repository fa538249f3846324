package strict

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

type decoder struct {
	doc      *Document
	root     reflect.Type
	problems Problems
	nodes    int
}

func (d *decoder) fail(n *yaml.Node, path, format string, args ...any) {
	if len(d.problems) == MaxProblems {
		d.nodes = maxNodes + 1 // whoever made this document has enough to do
		return
	}
	d.problems = append(d.problems, Problem{File: d.doc.file, Line: n.Line, Column: n.Column, Path: path, Message: fmt.Sprintf(format, args...)})
}

// value reads n into v. enum is the enum tag that applies to strings in it.
func (d *decoder) value(v reflect.Value, n *yaml.Node, path string, enum string) {
	if d.nodes++; d.nodes > maxNodes {
		if d.nodes == maxNodes+1 && len(d.problems) < MaxProblems {
			d.fail(n, path, "the document has more than %d values", maxNodes)
		}
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Tag == "!!null" && n.Kind == yaml.ScalarNode {
		if path == "" {
			d.fail(n, path, "the file is empty")
		}
		return // as if it were not there: the default stands
	}
	t := v.Type()
	switch {
	case IsText(t):
		d.text(v, n, path)
	case t.Kind() == reflect.Pointer:
		fresh := reflect.New(t.Elem())
		setDefaults(fresh.Elem())
		d.value(fresh.Elem(), n, path, enum)
		v.Set(fresh)
	case t.Kind() == reflect.Struct:
		d.structure(v, n, path)
	case t.Kind() == reflect.Map:
		d.mapping(v, n, path, enum)
	case t.Kind() == reflect.Slice:
		d.list(v, n, path, enum)
	default:
		d.scalar(v, n, path, enum)
	}
}

// structure reads a mapping whose keys are t's fields.
func (d *decoder) structure(v reflect.Value, n *yaml.Node, path string) {
	fields := Fields(v.Type())
	d.pairs(n, path, func(key, value *yaml.Node) {
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == key.Value })
		if i < 0 {
			d.fail(key, join(path, key.Value), "unknown field%s", d.suggest(fields, key.Value))
			return
		}
		p := join(path, key.Value)
		d.doc.at[p] = position{key.Line, key.Column}
		d.value(fields[i].Of(v), value, p, strings.Join(fields[i].Enum, "|"))
	})
}

// mapping reads a map with free keys.
func (d *decoder) mapping(v reflect.Value, n *yaml.Node, path, enum string) {
	t := v.Type()
	m := reflect.MakeMap(t)
	d.pairs(n, path, func(key, value *yaml.Node) {
		p := path + "[" + strconv.Quote(key.Value) + "]"
		d.doc.at[p] = position{key.Line, key.Column}
		if value.Tag == "!!null" {
			d.fail(key, p, "has no value")
			return
		}
		element := reflect.New(t.Elem()).Elem()
		setDefaults(element)
		d.value(element, value, p, enum)
		m.SetMapIndex(reflect.ValueOf(key.Value).Convert(t.Key()), element)
	})
	v.Set(m)
}

// pairs calls each for the keys of mapping n, each of which may occur once.
func (d *decoder) pairs(n *yaml.Node, path string, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, "is %s, should be fields with values (name: value)", describe(n))
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch line, seen := first[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			d.fail(key, path, "a field's name is %s, should be a word", describe(key))
		case key.Tag == "!!merge":
			d.fail(key, path, "merge keys (<<) are not supported; write the fields out")
		case seen:
			d.fail(key, join(path, key.Value), "is set twice; first in line %d", line)
		default:
			first[key.Value] = key.Line
			each(key, n.Content[i+1])
		}
	}
}

// list reads a sequence. A default that was there is replaced.
func (d *decoder) list(v reflect.Value, n *yaml.Node, path, enum string) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, "is %s, should be a list: [a, b], or lines that start with -", describe(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), 0, min(len(n.Content), 64))
	for i, item := range n.Content {
		p := fmt.Sprintf("%s[%d]", path, i)
		d.doc.at[p] = position{item.Line, item.Column}
		if item.Tag == "!!null" {
			d.fail(item, p, "has no value")
			continue
		}
		element := reflect.New(v.Type().Elem()).Elem()
		setDefaults(element)
		d.value(element, item, p, enum)
		if d.nodes > maxNodes {
			break
		}
		list = reflect.Append(list, element)
	}
	v.Set(list)
}

// whatText says what the text of a type is, where its own error would not tell a person.
var whatText = map[reflect.Type]string{
	reflect.TypeFor[netip.Addr]():   "an IP address such as 192.0.2.7 or 2001:db8::7",
	reflect.TypeFor[netip.Prefix](): "an address with a prefix length such as 192.0.2.7/24",
}

// text reads a scalar into a type that parses itself.
func (d *decoder) text(v reflect.Value, n *yaml.Node, path string) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, path, "is %s, should be text", describe(n))
		return
	}
	err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Value))
	what := whatText[v.Type()]
	switch {
	case what != "" && (err != nil || n.Value == ""):
		d.fail(n, path, "%q is not %s", n.Value, what)
	case err != nil:
		d.fail(n, path, "%v", err)
	}
}

// scalar reads a string, bool or number.
func (d *decoder) scalar(v reflect.Value, n *yaml.Node, path, enum string) {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, path, "is %s, should be %s", describe(n), kindName(v.Kind()))
		return
	}
	switch v.Kind() {
	case reflect.String:
		if allowed := strings.Split(enum, "|"); enum != "" && !slices.Contains(allowed, n.Value) {
			d.fail(n, path, "is %q, should be %s", n.Value, oneOf(allowed))
			return
		}
		v.SetString(n.Value) // as written, so that a sysctl's 1 or a label's true needs no quotes
	case reflect.Bool:
		var b bool
		if n.Tag != "!!bool" || n.Decode(&b) != nil {
			d.fail(n, path, "is %q, should be true or false", n.Value)
			return
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var i int64
		if n.Tag != "!!int" || n.Decode(&i) != nil || v.OverflowInt(i) {
			d.fail(n, path, "is %q, should be a whole number", n.Value)
			return
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var u uint64
		if n.Tag != "!!int" || n.Decode(&u) != nil || v.OverflowUint(u) {
			d.fail(n, path, "is %q, should be a whole number that is not negative", n.Value)
			return
		}
		v.SetUint(u)
	default:
		panic("strict: a document cannot hold a " + v.Type().String())
	}
}

// describe says what n is, for a person.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a group of fields"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		return strconv.Quote(n.Value)
	}
	return "something else"
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	}
	return "a whole number"
}

// oneOf joins allowed values: a, b or c.
func oneOf(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return strings.Join(values[:len(values)-1], ", ") + " or " + values[len(values)-1]
}
