package config

import (
	"reflect"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/coracle-os/coracle/machined/config/strict"
)

func TestPatch(t *testing.T) {
	for name, tc := range map[string]struct{ current, patch, want string }{
		"nothing":          {"a: 1\n", "{}\n", "a: 1\n"},
		"a field":          {"a: 1\nb: 2\n", "a: 3\n", "a: 3\nb: 2\n"},
		"deep":             {"a:\n  b:\n    c: 1\n  d: 2\n", "{a: {b: {c: 3}}}", "a:\n  b:\n    c: 3\n  d: 2\n"},
		"a new field":      {"a: 1\n", "b: {c: 2}", "a: 1\nb: {c: 2}\n"},
		"a new group":      {"a: 1\n", "b:\n  c: 2\n  d: ~\n", "a: 1\nb:\n  c: 2\n"},
		"null":             {"a: 1\nb: {c: 2}\n", "b: null\nx: null", "a: 1\n"},
		"no value is null": {"a: 1\nb: {c: 2}\n", "b:\n", "a: 1\n"},
		"the last field":   {"a: {b: 1}\n", "a: {b: null}", "a: {}\n"},
		"a list":           {"a: [1, 2]\n", "a: [3, ~]", "a: [3, ~]\n"},
		"group for text":   {"a: 1\n", "a: {b: 2, c: ~}", "a:\n  b: 2\n"},
		"text for a group": {"a: {b: 2}\n", "a: 1", "a: 1\n"},
		"comments and order": {
			"# first\nz: 1 # of z\n# second\na:\n  # third\n  b: 2 # of b\n  c: 3\n", "a: {b: 4, d: 5}",
			"# first\nz: 1 # of z\n# second\na:\n  # third\n  b: 4 # of b\n  c: 3\n  d: 5\n",
		},
		"a comment of its own":          {"a: 1 # old\n", "a: 2 # new\n", "a: 2 # new\n"},
		"an alias":                      {"a: &x {b: 1}\nc: *x\n", "c: {b: 2}", "a: {b: 1}\nc: {b: 2}\n"},
		"an anchor taken away":          {"a: &x {b: 1}\nc: *x\n", "a: ~", "c: {b: 1}\n"},
		"to nothing":                    {"", "a: 1", "a: 1\n"},
		"line ends":                     {"a: 1 # x\r\nb: 2\r\n", "\ufeffb: 3\r\n", "a: 1 # x\nb: 3\n"},
		"text that looks like a number": {"a: {b: x}\n", "a: {b: \"1\"}", "a: {b: \"1\"}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Patch([]byte(tc.current), []byte(tc.patch))
			if err != nil || string(got) != tc.want {
				t.Errorf("%v, got:\n%s\nwant:\n%s", err, got, tc.want)
			}
		})
	}
}

func TestPatchProblems(t *testing.T) {
	for name, tc := range map[string]struct{ current, patch, want string }{
		"empty":         {"a: 1", "# nothing", "patch: the file is empty"},
		"not a group":   {"a: 1", "\n- a", "patch:2: should be fields with values (name: value)"},
		"not YAML":      {"a: 1", "a: {", "patch:1: not valid YAML: did not find expected node content, here or in the block that starts here"},
		"twice":         {"a: 1", "a:\n  b: 1\n  b: 2", "patch:3: b is set twice; first in line 2"},
		"a merge key":   {"a: 1", "a: &x {b: 1}\nc:\n  <<: *x", "patch:3: merge keys (<<) are not supported; write the fields out"},
		"key no word":   {"a: 1", "? [a]\n: b", "patch:1: a field's name is not a word"},
		"bad config":    {"a: {", "a: 1", "the config to be patched cannot be read:\nmachine config:1: not valid YAML: did not find expected node content, here or in the block that starts here"},
		"two documents": {"a: 1", "a: 1\n---\nb: 2", "patch:2: a second document starts here; the file must hold one"},
		"a circle":      {"a: 1", "a: &x {b: *x}", "patch: the document has more than 100000 values"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Patch([]byte(tc.current), []byte(tc.patch))
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %q, %v, want %s", got, err, tc.want)
			}
		})
	}
}

// TestPatchStandard has the cases of RFC 7386, appendix A, whose documents are groups.
func TestPatchStandard(t *testing.T) {
	for _, tc := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b", "b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b", "b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"e":null, "a":1}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got, err := Patch([]byte(tc[0]), []byte(tc[1]))
		if err != nil || !reflect.DeepEqual(value(t, got), value(t, []byte(tc[2]))) {
			t.Errorf("%s + %s: %s, %v, want %s", tc[0], tc[1], got, err, tc[2])
		}
	}
}

func value(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// FuzzPatch compares what comes of a patch with RFC 7386's algorithm, on plain values.
func FuzzPatch(f *testing.F) {
	f.Add([]byte(smallest), []byte("machine: {name: x, role: ~}"))
	f.Add([]byte("a: &x [1] # c\nb: {c: *x} # d\n# e"), []byte("b: {c: {d: !t 1}} # f\n\"g\": |\n  h\n"))
	f.Add([]byte("a: {b: 1, # x\n c: 2}\n"), []byte("{a: {b: [ # y\n1]}}"))
	f.Fuzz(func(t *testing.T, current, patch []byte) {
		out, err := Patch(current, patch)
		if err != nil {
			return
		}
		doc, err := strict.Parse("", out)
		if err != nil {
			t.Fatalf("%q is not valid: %v", out, err)
		}
		a, errA := tree("", current)
		b, errB := tree("", patch)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		want := mergePatch(plain(a.Content[0]), plain(b.Content[0]))
		if got := plain(doc.Content[0]); !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, want %#v", got, want)
		}
	})
}

// plain is a node as maps, lists and text.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := []any{}
		for _, item := range n.Content {
			l = append(l, plain(item))
		}
		return l
	}
	if n.ShortTag() == "!!null" {
		return nil
	}
	return n.ShortTag() + " " + n.Value
}

// mergePatch is the pseudocode of RFC 7386, section 2.
func mergePatch(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	m, ok := target.(map[string]any)
	if !ok {
		m = map[string]any{}
	}
	for name, value := range p {
		if value == nil {
			delete(m, name)
		} else {
			m[name] = mergePatch(m[name], value)
		}
	}
	return m
}
