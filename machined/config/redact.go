package config

import (
	"bytes"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// notShown stands for a config that cannot be read, and so not be redacted.
const notShown = "# This machine config cannot be read as YAML, so nothing of it is shown.\n"

// Redact returns a machine config, valid or not, without its secrets: they are REDACTED, as are the user and password of a URL,
// whatever stands where no field is known, and what looks like a secret in a comment. Other comments and the order stay.
func Redact(text []byte) []byte {
	if len(text) == 0 {
		return text // there is none
	}
	if len(text) > MaxSize {
		return []byte(notShown)
	}
	doc, err := strict.Parse("", bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	if err != nil {
		return []byte(notShown)
	}
	r := redactor{left: maxTree}
	r.value(doc.Content[0], reflect.TypeFor[types.MachineConfig](), false)
	if r.left < 0 {
		return []byte(notShown)
	}
	if !r.changed && !slices.ContainsFunc(comments.FindAllString(string(text), -1), r.scrubs) {
		return text // as it was written, with its empty lines
	}
	r.replacer = strings.NewReplacer(r.secrets...)
	each(doc, func(n *yaml.Node) {
		n.HeadComment, n.LineComment, n.FootComment = r.scrub(n.HeadComment), r.scrub(n.LineComment), r.scrub(n.FootComment)
	})
	shown, err := encode(doc)
	if err != nil {
		return []byte(notShown)
	}
	return shown
}

type redactor struct {
	left    int // how many nodes it still looks at
	changed bool
	// secrets that were there, each followed by what is shown instead; replacer knows them.
	secrets  []string
	replacer *strings.Replacer
}

// value redacts n, which is where a value of type t belongs.
func (r *redactor) value(n *yaml.Node, t reflect.Type, secret bool) {
	if r.left--; r.left < 0 {
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	wanted := yaml.ScalarNode
	for t.Kind() == reflect.Pointer && !strict.IsText(t) {
		t = t.Elem()
	}
	switch {
	case strict.IsText(t):
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		wanted = yaml.MappingNode
	case t.Kind() == reflect.Slice:
		wanted = yaml.SequenceNode
	}
	switch {
	case isNull(n) && !(secret && len(n.Value) > len("null")):
	case n.Kind != wanted, n.Kind == yaml.ScalarNode && secret:
		r.hide(n)
	case wanted == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			r.entry(n.Content[i], n.Content[i+1], t, secret)
		}
	case wanted == yaml.SequenceNode:
		for _, item := range n.Content {
			r.value(item, t.Elem(), secret)
		}
	default:
		if shown := strict.WithoutUser(n.Value); shown != n.Value {
			n.Value, r.changed = shown, true
		}
	}
}

// entry redacts an entry of a mapping of type t.
func (r *redactor) entry(key, value *yaml.Node, t reflect.Type, secret bool) {
	if key.Kind == yaml.AliasNode {
		key = key.Alias
	}
	if key.Kind != yaml.ScalarNode {
		r.hide(key)
		r.hide(value)
		return
	}
	if t.Kind() == reflect.Map {
		r.value(value, t.Elem(), secret)
		return
	}
	for _, f := range strict.Fields(t) {
		if f.Name == key.Value {
			r.value(value, f.Type, secret || f.Secret)
			return
		}
	}
	r.hide(value)
}

func (r *redactor) hide(n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && (n.Value == "" || n.Value == strict.Redacted) {
		return
	}
	r.changed = true
	each(n, func(n *yaml.Node) {
		// What is short stands in comments for something else.
		if n.Kind == yaml.ScalarNode && len(n.Value) > 3 && n.Value != strict.Redacted {
			r.secrets = append(r.secrets, n.Value, strict.Redacted)
		}
	})
	n.Kind, n.Tag, n.Value, n.Style, n.Content = yaml.ScalarNode, "!!str", strict.Redacted, 0, nil
}

var (
	comments = regexp.MustCompile(`#.*`)
	// secretField is a field, commented out, of a name that a secret has.
	secretField = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)\b(` + strings.Join(secretNames(), "|") + `|[\w-]*(?:token|passw|passphrase|secret|psk|private|credential)[\w-]*)(["']?\s*[:=])(\s+|["']).*`)
	})
)

// secretNames are the names of all fields that are secret.
func secretNames() []string {
	var names []string
	strict.Walk(reflect.TypeFor[types.MachineConfig](), func(_ string, f strict.Field) {
		if f.Secret {
			names = append(names, regexp.QuoteMeta(f.Name))
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// scrub takes out of a comment what looks like a secret, or is one.
func (r *redactor) scrub(comment string) string {
	if comment == "" {
		return ""
	}
	if r.replacer != nil {
		comment = r.replacer.Replace(comment)
	}
	return secretField().ReplaceAllString(strict.WithoutUser(comment), "$1$2 "+strict.Redacted)
}

func (r *redactor) scrubs(comment string) bool { return r.scrub(comment) != comment }
