package change

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/coracle-os/coracle/machined/config/strict"
)

// longest text that is shown whole, in bytes: a manifest or a certificate would fill the screen.
const longest = 256

// oneLine writes v as YAML on one line; empty when it is not set.
func (p place) oneLine(v reflect.Value) string {
	n := node(v, p.secret)
	switch {
	case n == nil && p.entry && v.IsValid():
		n = empty()
	case n == nil:
		return ""
	}
	text, err := yaml.Marshal(n)
	if err != nil { // not for the nodes that node makes
		return strict.Redacted
	}
	return strings.TrimSuffix(string(text), "\n")
}

// node is v as YAML; nil when it is not set.
func node(v reflect.Value, secret bool) *yaml.Node {
	if !v.IsValid() {
		return nil
	}
	switch t := v.Type(); {
	case strict.IsText(t):
		return scalar(textOf(v), secret)
	case t.Kind() == reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return node(v.Elem(), secret)
	case t.Kind() == reflect.Struct:
		return group(v, secret)
	case t.Kind() == reflect.Map:
		return mapping(v, secret)
	case t.Kind() == reflect.Slice:
		return list(v, secret)
	case t.Kind() == reflect.String:
		return scalar(v.String(), secret)
	}
	if secret {
		return scalar(strict.Redacted, false)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(v.Interface())}
}

// scalar is text, with quotes where it would be read as something else.
func scalar(s string, secret bool) *yaml.Node {
	if s == "" {
		return nil
	}
	if secret {
		s = strict.Redacted
	}
	s = strict.WithoutUser(strings.ToValidUTF8(s, "�"))
	if len(s) > longest {
		end := longest
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s = fmt.Sprintf("%s… (%d bytes)", s[:end], len(s))
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '\u0085' || r == '\u2028' || r == '\u2029' }) {
		n.Style = yaml.DoubleQuotedStyle // which writes line breaks as escapes
	}
	return n
}

// textOf is the text form of a value that has one.
func textOf(v reflect.Value) string {
	if z, ok := v.Interface().(interface{ IsZero() bool }); ok && z.IsZero() {
		return ""
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		if text, err := m.MarshalText(); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(v.Interface())
}

// group has the fields that are not at their defaults.
func group(v reflect.Value, secret bool) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	defaults := reflect.New(v.Type())
	strict.Defaults(defaults.Interface())
	for _, f := range strict.Fields(v.Type()) {
		value := f.Of(v)
		if same(value, f.Of(defaults.Elem())) {
			continue
		}
		if shown := node(value, secret || f.Secret); shown != nil {
			n.Content = append(n.Content, scalar(f.Name, false), shown)
		}
	}
	return n
}

func mapping(v reflect.Value, secret bool) *yaml.Node {
	if v.IsNil() {
		return nil
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	names := map[string]reflect.Value{}
	for _, key := range v.MapKeys() {
		names[key.String()] = key
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n.Content = append(n.Content, orEmpty(scalar(name, false)), orEmpty(node(v.MapIndex(names[name]), secret)))
	}
	return n
}

func list(v reflect.Value, secret bool) *yaml.Node {
	if v.IsNil() {
		return nil
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for i := range v.Len() {
		n.Content = append(n.Content, orEmpty(node(v.Index(i), secret)))
	}
	return n
}

func empty() *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle}
}

func orEmpty(n *yaml.Node) *yaml.Node {
	if n == nil {
		return empty()
	}
	return n
}
