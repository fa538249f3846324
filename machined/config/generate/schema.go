package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// schema is a JSON Schema (draft 2020-12), as far as a machine config needs it.
type schema struct {
	Dialect     string     `json:"$schema,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Type        any        `json:"type,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	Default     any        `json:"default,omitempty"`
	Examples    []any      `json:"examples,omitempty"`
	WriteOnly   bool       `json:"writeOnly,omitempty"` // a secret
	Items       *schema    `json:"items,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Additional  any        `json:"additionalProperties,omitempty"` // false, or a *schema
}

// properties keep the order of the fields.
type properties []property

type property struct {
	name   string
	schema *schema
}

func (ps properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, p := range ps {
		name, err := json.Marshal(p.name)
		if err != nil {
			return nil, err
		}
		value, err := compact(p.schema)
		if err != nil {
			return nil, err
		}
		b.WriteByte("{,"[min(i, 1)])
		b.Write(slices.Concat(name, []byte(":"), value))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// compact is JSON in which < and > stay as they are.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func writeSchema(c comments) ([]byte, error) {
	root, err := schemaOf(c, reflect.TypeFor[types.MachineConfig](), nil)
	if err != nil {
		return nil, err
	}
	root.Dialect = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "Coracle " + types.Kind + ", " + types.APIVersion
	root.Description = c.types["MachineConfig"]
	text, err := compact(root)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// schemaOf is the schema of a type. enum is for the strings in it.
func schemaOf(c comments, t reflect.Type, enum []string) (*schema, error) {
	switch {
	case strict.IsText(t):
		return &schema{Type: "string", Pattern: texts[t].pattern}, nil
	case t.Kind() == reflect.Pointer:
		return schemaOf(c, t.Elem(), enum)
	case t.Kind() == reflect.Struct:
		return structSchema(c, t)
	case t.Kind() == reflect.Slice:
		items, err := schemaOf(c, t.Elem(), enum)
		return &schema{Type: "array", Items: items}, err
	case t.Kind() == reflect.Map:
		values, err := schemaOf(c, t.Elem(), enum)
		if err == nil && t.Elem().Kind() == reflect.String && len(enum) == 0 {
			values.Type = []string{"string", "number", "boolean"} // a sysctl's 1 needs no quotes
		}
		return &schema{Type: "object", Additional: values}, err
	case t.Kind() == reflect.String:
		return &schema{Type: "string", Enum: enum}, nil
	case t.Kind() == reflect.Bool:
		return &schema{Type: "boolean"}, nil
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return &schema{Type: "integer"}, nil
	}
	return nil, fmt.Errorf("there is no schema for a %s", t)
}

func structSchema(c comments, t reflect.Type) (*schema, error) {
	s := &schema{Type: "object", Properties: properties{}, Additional: false}
	for _, f := range strict.Fields(t) {
		sub, err := schemaOf(c, f.Type, f.Enum)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		sub.Description, sub.WriteOnly = c.of(f), f.Secret
		if f.Default != "" {
			if sub.Default, err = value(f, f.Default); err != nil {
				return nil, err
			}
		}
		if f.Example != "" {
			example, err := value(f, field{Field: f}.example())
			if err != nil {
				return nil, err
			}
			sub.Examples = []any{example}
		}
		if f.Required {
			s.Required = append(s.Required, f.Name)
		}
		s.Properties = append(s.Properties, property{f.Name, sub})
	}
	return s, nil
}

// value is the JSON value of what a tag of f says.
func value(f strict.Field, tag string) (any, error) {
	t := f.Type
	for t.Kind() == reflect.Pointer && !strict.IsText(t) {
		t = t.Elem()
	}
	if strict.IsText(t) || t.Kind() == reflect.String {
		return tag, nil
	}
	if t.Kind() == reflect.Slice && !strings.HasPrefix(tag, "[") {
		return strings.Split(tag, ","), nil
	}
	var v any
	if err := yaml.Unmarshal([]byte(tag), &v); err != nil {
		return nil, fmt.Errorf("%s: the tag %q is not YAML: %w", f.Name, tag, err)
	}
	return v, nil
}
