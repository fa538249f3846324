package strict_test

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/coracle-os/coracle/machined/config/strict"
)

type document struct {
	Name    string            `yaml:"name"`
	Level   string            `yaml:"level" enum:"low|high" default:"low"`
	Enabled bool              `yaml:"enabled" default:"true"`
	Port    int               `yaml:"port" default:"50000"`
	Small   uint8             `yaml:"small"`
	Keep    []string          `yaml:"keep" enum:"a|b" default:"a,b"`
	Net     netip.Prefix      `yaml:"net" default:"10.0.0.0/8"`
	Labels  map[string]string `yaml:"labels"`
	Items   []item            `yaml:"items"`
	Maybe   *bool             `yaml:"maybe"`
	Token   string            `yaml:"token" secret:"true"`
	Shared  `yaml:",inline"`
	hidden  int
}

type Shared struct {
	Domain string `yaml:"domain"`
}

type item struct {
	Address netip.Addr `yaml:"address"`
	Mode    string     `yaml:"mode" default:"auto"`
	Secrets []string   `yaml:"secrets" secret:"true"`
}

func TestDecode(t *testing.T) {
	yes := true
	defaults := func(change func(*document)) document {
		d := document{Level: "low", Enabled: true, Port: 50000, Keep: []string{"a", "b"}, Net: netip.MustParsePrefix("10.0.0.0/8")}
		change(&d)
		return d
	}
	for name, tc := range map[string]struct {
		in   string
		want document
	}{
		"defaults":             {"name: x", defaults(func(d *document) { d.Name = "x" })},
		"null keeps a default": {"level:\nport: ~", defaults(func(*document) {})},
		"set over defaults": {"{level: high, enabled: false, port: 1, keep: [], net: 192.0.2.0/24, maybe: true, domain: d}", defaults(func(d *document) {
			d.Level, d.Enabled, d.Port, d.Keep, d.Net, d.Maybe, d.Domain = "high", false, 1, []string{}, netip.MustParsePrefix("192.0.2.0/24"), &yes, "d"
		})},
		"numbers are text where text is wanted": {"labels: {a: 1, b: true, c: 010}", defaults(func(d *document) {
			d.Labels = map[string]string{"a": "1", "b": "true", "c": "010"}
		})},
		"defaults of list elements": {"items:\n- address: 192.0.2.1\n- mode: manual", defaults(func(d *document) {
			d.Items = []item{{Address: netip.MustParseAddr("192.0.2.1"), Mode: "auto"}, {Mode: "manual"}}
		})},
		"an alias": {"labels: &l {a: b}\nitems: []\nname: &n x\ndomain: *n", defaults(func(d *document) {
			d.Name, d.Domain, d.Labels, d.Items = "x", "x", map[string]string{"a": "b"}, []item{}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			var got document
			if _, err := strict.Decode("f.yaml", []byte(tc.in), &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

func TestDecodeProblems(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"misspelt":           {"a: 1\nnmae: x", "f.yaml:1: a: unknown field; the fields here are name, level, enabled, port, small, keep, net, labels, items, maybe, token, domain\nf.yaml:2: nmae: unknown field; did you mean \"name\"?"},
		"contains the name":  {"hostname: x", `f.yaml:1: hostname: unknown field; did you mean "name"?`},
		"belongs elsewhere":  {"address: 192.0.2.1", "f.yaml:1: address: unknown field; it belongs at items[].address"},
		"in a list":          {"items:\n  - adress: 192.0.2.1", `f.yaml:2: items[0].adress: unknown field; did you mean "address"?`},
		"not an address":     {"items:\n  - address: eth0", `f.yaml:2: items[0].address: "eth0" is not an IP address such as 192.0.2.7 or 2001:db8::7`},
		"not a prefix":       {"net: 10.0.0.1", `f.yaml:1: net: "10.0.0.1" is not an address with a prefix length such as 192.0.2.7/24`},
		"enum":               {"level: medium", `f.yaml:1: level: is "medium", should be low or high`},
		"enum in a list":     {"keep:\n- a\n- c", `f.yaml:3: keep[1]: is "c", should be a or b`},
		"bool":               {"enabled: yes", `f.yaml:1: enabled: is "yes", should be true or false`},
		"int":                {"port: \"80\"", `f.yaml:1: port: is "80", should be a whole number`},
		"uint too large":     {"small: 256", `f.yaml:1: small: is "256", should be a whole number that is not negative`},
		"list for text":      {"name: [x]", "f.yaml:1: name: is a list, should be text"},
		"text for list":      {"items: x", `f.yaml:1: items: is "x", should be a list: [a, b], or lines that start with -`},
		"text for fields":    {"x", `f.yaml:1: is "x", should be fields with values (name: value)`},
		"twice":              {"name: x\nname: y", "f.yaml:2: name: is set twice; first in line 1"},
		"twice in a map":     {"labels:\n  a: 1\n  a: 2", "f.yaml:3: labels.a: is set twice; first in line 2"},
		"label without text": {"labels:\n  a:", `f.yaml:2: labels["a"]: has no value`},
		"merge":              {"labels: &l {a: b}\nitems:\n- <<: *l", "f.yaml:3: items[0]: merge keys (<<) are not supported; write the fields out"},
		"empty":              {"", "f.yaml: the file is empty"},
		"only a comment":     {"# nothing", "f.yaml: the file is empty"},
		"two documents":      {"name: x\n---\nname: y", "f.yaml:2: a second document starts here; the file must hold one"},
		"tab":                {"items:\n\t- x", "f.yaml:2: not valid YAML: found character that cannot start any token (a tab? YAML is indented with spaces)"},
		"under-indented":     {"name: x\nlabels:\n  a: b\n  c: d\n domain: x", "f.yaml:5: not valid YAML: did not find expected key, here or in the block that starts here"},
		"open brace":         {"name: x\nlevel: low\nlabels: {a: b", "f.yaml:3: not valid YAML: did not find expected ',' or '}', here or in the block that starts here"},
		"open bracket":       {"name: x\nlevel: low\nitems:\n- mode: a\n  address: 192.0.2.1\n- mode: b\n  address: 192.0.2.2\n  secrets: [x", "f.yaml:8: not valid YAML: did not find expected ',' or ']', here or in the block that starts here"},
		"indented in a list": {"name: x\nlevel: low\nlabels:\n  a: b\nitems:\n  - mode: a\n    address: 192.0.2.1\n    secrets: [x]\n   mtu: 9", "f.yaml:6: not valid YAML: did not find expected '-' indicator, here or in the block that starts here"},
		"open brace, line 1": {"labels: {a: b", "f.yaml:1: not valid YAML: did not find expected ',' or '}', here or in the block that starts here"},
		"all at once":        {"level: x\nport: y\nenabeld: z", "f.yaml:1: level: is \"x\", should be low or high\nf.yaml:2: port: is \"y\", should be a whole number\nf.yaml:3: enabeld: unknown field; did you mean \"enabled\"?"},
	} {
		t.Run(name, func(t *testing.T) {
			var got document
			_, err := strict.Decode("f.yaml", []byte(tc.in), &got)
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestDocumentProblemFindsTheNearestLine(t *testing.T) {
	var d document
	doc, err := strict.Decode("f.yaml", []byte("name: x\nlabels:\n  a.b/c: d\nitems:\n- mode: m"), &d)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"name": 1, `labels["a.b/c"]`: 3, `labels["x.y"]`: 2, "items[0].address": 5, "items[7]": 4, "port": 0} {
		if got := doc.Problem(path, "x").Line; got != want {
			t.Errorf("%s: line %d, want %d", path, got, want)
		}
	}
	if !doc.Has("items[0].mode") || doc.Has("port") {
		t.Error("Has does not know what the document sets")
	}
}

func TestAliasesCannotGrowWithoutLimit(t *testing.T) {
	type tree struct {
		Children []tree `yaml:"children"`
	}
	doc := "children:\n- &a0 {children: []}\n"
	for i := range 30 {
		prev, next := "a"+string(rune('0'+i)), "a"+string(rune('0'+i+1))
		doc += "- &" + next + " {children: [*" + prev + ", *" + prev + "]}\n"
	}
	if _, err := strict.Decode("f.yaml", []byte(doc), &tree{}); err == nil {
		t.Error("a document that expands to 2^30 values was accepted")
	}
}

func TestWalk(t *testing.T) {
	type leaf struct {
		Own    string `yaml:"own" applies:"c" required:"true" example:"x"`
		Parent string `yaml:"parent"`
	}
	type root struct {
		A leaf            `yaml:"a" applies:"b"`
		L []leaf          `yaml:"l"`
		M map[string]leaf `yaml:"m" applies:"d" secret:"true"`
		P *leaf           `yaml:"p"`
		N netip.Prefix    `yaml:"n"`
	}
	var got []string
	strict.Walk(reflect.TypeFor[root](), func(path string, f strict.Field) {
		got = append(got, path+" "+f.Applies)
		if own := f.Name == "own"; f.Required != own || (f.Example == "x") != own || f.Secret != (path == "m") {
			t.Errorf("%s: %+v", path, f)
		}
		if f.Name == "parent" && (f.GoName != "Parent" || f.Owner != reflect.TypeFor[leaf]()) {
			t.Errorf("%s is %s of %s", path, f.GoName, f.Owner)
		}
	})
	want := []string{"a b", "a.own c", "a.parent b", "l ", "l[].own c", "l[].parent ", "m d", "m[key].own c", "m[key].parent d", "p ", "p.own c", "p.parent ", "n "}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWithoutUser(t *testing.T) {
	if got := strict.WithoutUser("see https://me:abc@example.com/x, http://y@z, http://z/a@b"); got != "see https://REDACTED@example.com/x, http://REDACTED@z, http://z/a@b" {
		t.Error(got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"name: x", "items: [{address: 1.2.3.4}]", "labels: &a {a: b}", "a: *a", "- x", "keep: [a]\n---\n", "\t", "? [a]\n: b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var d document
		doc, err := strict.Decode("f.yaml", in, &d)
		if doc == nil {
			t.Fatal("no document")
		}
		if err == nil && d.Level != "low" && d.Level != "high" {
			t.Fatalf("level %q passed", d.Level)
		}
		if ps, ok := err.(strict.Problems); err != nil && (!ok || len(ps) == 0) {
			t.Fatalf("error of type %T", err)
		}
	})
}
