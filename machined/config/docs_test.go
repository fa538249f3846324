package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

func TestExamplesAreValid(t *testing.T) {
	files, err := filepath.Glob("../../configs/machine*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(filepath.Base(file), text); err != nil {
			t.Error(err)
		}
	}
}

// TestReferenceIsComplete compares the rows of docs/config.md with the types.
func TestReferenceIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../docs/config.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*?) \\|").FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, m[1])
	}
	var fields []string
	strict.Walk(reflect.TypeFor[types.MachineConfig](), func(path string, f strict.Field) {
		fields = append(fields, path)
		group := f.Type.Kind() == reflect.Struct && !strings.Contains(f.Type.String(), "netip")
		if strings.Contains(path, ".") && !group && !slices.Contains(rows, path) {
			t.Errorf("%s is not in docs/config.md", path)
		}
	})
	for _, row := range rows {
		if !slices.Contains(fields, row) {
			t.Errorf("docs/config.md has %s, which does not exist", row)
		}
	}
}
