package main

import (
	"net/netip"
	"reflect"
	"strconv"
	"strings"

	"github.com/coracle-os/coracle/machined/config/change"
	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/keys"
)

// field is what the reference says of a field.
type field struct {
	strict.Field
	path     string
	group    bool // only fields of its own
	comment  string
	fallback string // default, in words
}

// fields lists all fields of a machine config.
func fields(c comments) []field {
	var all []field
	strict.Walk(reflect.TypeFor[types.MachineConfig](), func(path string, f strict.Field) {
		comment, fallback := splitDefault(c.of(f))
		all = append(all, field{Field: f, path: path, group: isGroup(f.Type), comment: comment, fallback: fallback})
	})
	return all
}

func isGroup(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && !strict.IsText(t)
}

// ofGroups is whether t is a list or map of groups, whose fields say what is in it.
func ofGroups(t reflect.Type) bool {
	return !strict.IsText(t) && (t.Kind() == reflect.Slice || t.Kind() == reflect.Map) && isGroup(t.Elem())
}

// splitDefault takes the sentence that starts with "Default:" out of a comment.
func splitDefault(comment string) (rest, fallback string) {
	before, after, found := strings.Cut(comment, "Default: ")
	if !found {
		return comment, ""
	}
	fallback, after, _ = strings.Cut(after+" ", ". ")
	return strings.TrimSpace(before + after), fallback
}

// textType is a type that is written as text of some form.
type textType struct {
	what    string
	pattern string // of JSON Schema (ECMA-262); only for editors: reading is stricter
}

// texts are those that the config has.
var texts = map[reflect.Type]textType{
	reflect.TypeFor[netip.Addr]():     {"IP address", `^[0-9A-Fa-f.:]+(%.+)?$`},
	reflect.TypeFor[netip.Prefix]():   {"address/length", `^[0-9A-Fa-f.:]+/[0-9]+$`},
	reflect.TypeFor[types.Networks](): {"network, or two", `^[0-9A-Fa-f.:]+/[0-9]+( *, *[0-9A-Fa-f.:]+/[0-9]+)?$`},
	reflect.TypeFor[types.Duration](): {"duration", `^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`},
	reflect.TypeFor[types.Size]():     {"size", `^[0-9]+ *([MGT]i?B)$`},
	reflect.TypeFor[keys.PublicKey](): {"public key", `^ed25519:[A-Za-z0-9+/]{43}=$`},
}

// typeName is a type as users see it.
func typeName(t reflect.Type, enum []string) string {
	switch {
	case strict.IsText(t):
		return texts[t].what
	case t.Kind() == reflect.Pointer:
		return typeName(t.Elem(), enum)
	case t.Kind() == reflect.Struct:
		return "group"
	case t.Kind() == reflect.Slice && isGroup(t.Elem()):
		return "list"
	case t.Kind() == reflect.Slice:
		return "list: " + typeName(t.Elem(), enum)
	case t.Kind() == reflect.Map && isGroup(t.Elem()):
		return "map"
	case t.Kind() == reflect.Map:
		return "map: " + typeName(t.Elem(), enum)
	case len(enum) > 0:
		return "`" + strings.Join(enum, "`, `") + "`"
	case t.Kind() == reflect.String:
		return "text"
	case t.Kind() == reflect.Bool:
		return "`true`, `false`"
	}
	return "number"
}

// example is a value of the field, as it is written in a config; empty when there is none to be shown.
func (f field) example() string {
	t := f.Type
	for t.Kind() == reflect.Pointer && !strict.IsText(t) {
		t = t.Elem()
	}
	list := t.Kind() == reflect.Slice && !strict.IsText(t)
	switch {
	case list && f.Example != "" && !strings.HasPrefix(f.Example, "["):
		return "[" + strings.ReplaceAll(f.Example, ",", ", ") + "]"
	case f.Example != "":
		return f.Example
	case t.Kind() == reflect.Bool:
		on, _ := strconv.ParseBool(f.Default)
		return strconv.FormatBool(!on)
	case len(f.Enum) > 0 && !list:
		for _, value := range f.Enum {
			if value != f.Default {
				return value
			}
		}
		return f.Default
	case list && f.Default != "":
		return "[" + strings.ReplaceAll(f.Default, ",", ", ") + "]"
	}
	return f.Default
}

// takesEffect says when a change does.
var takesEffect = map[change.Need]string{
	change.Now:    "at once",
	change.Kube:   "Kubernetes restarts",
	change.Reboot: "reboot",
	change.Never:  "never",
}
