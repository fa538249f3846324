package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// top is the top folder of the repository.
const top = "../../.."

func TestUpToDate(t *testing.T) {
	outputs, err := generate(top)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range outputs {
		if got, err := os.ReadFile(filepath.Join(top, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not that of the types; run make generate (%v)", name, err)
		}
	}
}

func TestEveryFieldIsDocumented(t *testing.T) {
	c, err := readComments(filepath.Join(top, typesDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields(c) {
		if f.comment == "" {
			t.Errorf("%s: the field of Go has no comment", f.path)
		}
		if f.Required && (f.Default != "" || f.fallback != "") {
			t.Errorf("%s: is required, and has a default", f.path)
		}
		if !f.group && !ofGroups(f.Type) && f.example() == "" {
			t.Errorf(`%s: has no example; tag it example:"…"`, f.path)
		}
		for of := f.Type; ; of = of.Elem() {
			if _, known := texts[of]; strict.IsText(of) && !known {
				t.Errorf("%s: texts in field.go does not have the form of a %s", f.path, of)
			}
			if k := of.Kind(); strict.IsText(of) || k != reflect.Pointer && k != reflect.Slice && k != reflect.Map {
				break
			}
		}
	}
}

// TestExamplesFit reads each example as the value of its field.
func TestExamplesFit(t *testing.T) {
	c, err := readComments(filepath.Join(top, typesDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields(c) {
		if f.Example == "" {
			continue
		}
		var doc strings.Builder
		closing := ""
		for name := range strings.SplitSeq(f.path, ".") {
			name, list := strings.CutSuffix(name, "[]")
			name, inMap := strings.CutSuffix(name, "[key]")
			open, end := "{"+name+": ", "}"
			switch {
			case list:
				open, end = open+"[", "]"+end
			case inMap:
				open, end = open+"{x: ", "}"+end
			}
			doc.WriteString(open)
			closing = end + closing
		}
		value := f.example()
		if strict.IsText(f.Type) || f.Type.Kind() == reflect.String {
			value = fmt.Sprintf("%q", value)
		}
		text := doc.String() + value + closing
		if _, err := strict.Decode("example", []byte(text), new(types.MachineConfig)); err != nil {
			t.Errorf("%s: %v\n%s", f.path, err, text)
		}
	}
}

func TestComments(t *testing.T) {
	dir := t.TempDir()
	const source = `package p

// Box is what things are in.
type Box struct {
	// Size of the box,
	// in mm. Default: as large as what is in it. It is a cube.
	Size int ` + "`yaml:\"size\"`" + `
	Form Form ` + "`yaml:\"form\"`" + ` // how it looks
	Sub  Lid  ` + "`yaml:\"sub\"`" + `
}

// Lid closes a box.
type Lid struct{}

type Form string

const (
	Round Form = "round" // like a ball
	Flat  Form = "flat"
)
`
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readComments(dir)
	if err != nil {
		t.Fatal(err)
	}
	type Lid struct{}
	type Form string
	type Box struct {
		Size int
		Form Form
		Sub  Lid
	}
	var got []string
	for _, f := range strict.Fields(reflect.TypeFor[Box]()) {
		rest, fallback := splitDefault(c.of(f))
		got = append(got, rest+"|"+fallback)
	}
	want := []string{"Size of the box, in mm. It is a cube.|as large as what is in it", "how it looks. round: like a ball.|", "Closes a box.|"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if c.types["Box"] != "What things are in." {
		t.Errorf("of the type: %q", c.types["Box"])
	}
}

func TestReferenceSections(t *testing.T) {
	var all []field
	for _, path := range []string{"kind", "machine", "machine.name", "machine.namesake", "machine.name.x", "machine.list[].y"} {
		all = append(all, field{Field: strict.Field{Type: reflect.TypeFor[string]()}, path: path})
	}
	const page = "a\n<!-- fields: document -->\nold\n<!-- end -->\nb\n<!-- fields: machine -->\n<!-- end -->\n<!-- fields: machine.name -->\n<!-- end -->\nc\n"
	got, err := writeReference([]byte(page), all)
	if err != nil {
		t.Fatal(err)
	}
	var shape []string
	for line := range strings.Lines(string(got)) {
		if row := strings.Split(line, "|"); len(row) > 2 && strings.Contains(row[1], "`") {
			shape = append(shape, strings.Trim(row[1], " `"))
		} else if !strings.HasPrefix(line, "|") && strings.TrimSpace(line) != "" {
			shape = append(shape, strings.TrimSpace(line))
		}
	}
	want := "a,<!-- fields: document -->,kind,<!-- end -->,b,<!-- fields: machine -->,machine.namesake,machine.list[].y,<!-- end -->,<!-- fields: machine.name -->,machine.name.x,<!-- end -->,c"
	if s := strings.Join(shape, ","); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if again, err := writeReference(got, all); err != nil || !bytes.Equal(got, again) {
		t.Errorf("written again it is another: %v", err)
	}
	for name, page := range map[string]string{
		"no section":      "<!-- fields: machine -->\n<!-- end -->\n",
		"no such field":   "<!-- fields: document -->\n<!-- end -->\n<!-- fields: machine -->\n<!-- end -->\n<!-- fields: x -->\n<!-- end -->\n",
		"a section twice": strings.Repeat("<!-- fields: document -->\n<!-- end -->\n", 2),
	} {
		if _, err := writeReference([]byte(page), all); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// decode reads YAML as JSON would be read.
func decode(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
