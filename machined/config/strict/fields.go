package strict

import (
	"cmp"
	"encoding"
	"reflect"
	"strings"
)

// Field is a field of a struct as a document sees it.
type Field struct {
	Name     string   // in the document
	Enum     []string // allowed values; nil: any
	Default  string   // as in the tag
	Example  string   // as in the tag
	Applies  string   // as in the tag; [Walk] gives a field that has none that of its parent
	Secret   bool
	Required bool
	Type     reflect.Type
	Owner    reflect.Type // the struct that declares it
	GoName   string       // its name there
	index    []int
}

// Of is the field's value in v, a struct of the type that [Fields] was asked for.
func (f Field) Of(v reflect.Value) reflect.Value { return v.FieldByIndex(f.index) }

// Fields lists the fields of struct type t in their order.
func Fields(t reflect.Type) []Field {
	var fields []Field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-":
			continue
		case strings.Contains(options, "inline"):
			for _, sub := range Fields(f.Type) {
				sub.index = append([]int{i}, sub.index...)
				fields = append(fields, sub)
			}
			continue
		case name == "":
			name = strings.ToLower(f.Name)
		}
		field := Field{
			Name: name, Default: f.Tag.Get("default"), Example: f.Tag.Get("example"), Applies: f.Tag.Get("applies"),
			Secret: f.Tag.Get("secret") == "true", Required: f.Tag.Get("required") == "true",
			Type: f.Type, Owner: t, GoName: f.Name, index: []int{i},
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			field.Enum = strings.Split(enum, "|")
		}
		fields = append(fields, field)
	}
	return fields
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// IsText is whether t reads itself from text.
func IsText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textUnmarshaler) }

// Walk calls visit for every field that a document of struct type t may have, parents first. A list's elements
// have [] in their path, a map's values [key].
func Walk(t reflect.Type, visit func(path string, f Field)) { walk(t, "", "", visit) }

func walk(t reflect.Type, path, applies string, visit func(string, Field)) {
	switch {
	case IsText(t):
	case t.Kind() == reflect.Pointer:
		walk(t.Elem(), path, applies, visit)
	case t.Kind() == reflect.Slice:
		walk(t.Elem(), path+"[]", applies, visit)
	case t.Kind() == reflect.Map:
		walk(t.Elem(), path+"[key]", applies, visit)
	case t.Kind() == reflect.Struct:
		for _, f := range Fields(t) {
			p := join(path, f.Name)
			f.Applies = cmp.Or(f.Applies, applies)
			visit(p, f)
			walk(f.Type, p, f.Applies, visit)
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
