// Package schema has the JSON Schema of the machine config, for editors and for coraclectl.
package schema

import _ "embed"

// MachineConfig is the schema of coracle/v1alpha1, kind MachineConfig. It is generated from the Go types: make generate.
//
//go:embed machineconfig.v1alpha1.json
var MachineConfig []byte
