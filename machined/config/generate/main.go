// Command generate writes what users read about the machine config from its Go types (machined/config/types): the JSON
// Schema, docs/schema/machineconfig.v1alpha1.json, and the tables of the reference, docs/config.md.
//
//	go run ./machined/config/generate
//
// It is run in the top folder of the repository; `make generate` does.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	typesDir      = "machined/config/types"
	schemaFile    = "docs/schema/machineconfig.v1alpha1.json"
	referenceFile = "docs/config.md"
)

func main() {
	outputs, err := generate(".")
	for name, text := range outputs {
		if err == nil {
			err = os.WriteFile(name, text, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generate makes the content of the files below root, by their names.
func generate(root string) (map[string][]byte, error) {
	c, err := readComments(filepath.Join(root, typesDir))
	if err != nil {
		return nil, err
	}
	schema, err := writeSchema(c)
	if err != nil {
		return nil, err
	}
	page, err := os.ReadFile(filepath.Join(root, referenceFile))
	if err != nil {
		return nil, err
	}
	reference, err := writeReference(page, fields(c))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", referenceFile, err)
	}
	return map[string][]byte{schemaFile: schema, referenceFile: reference}, nil
}
