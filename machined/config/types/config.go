// Package types has the Go types of the machine config, apiVersion coracle/v1alpha1, kind MachineConfig.
//
// The types carry all that is generic about a field in struct tags, so that parsing, defaults, redaction, the
// schema and the reference page need no list of their own (package machined/config/strict reads them):
//
//	yaml     the field's name in the document
//	enum     the values that are allowed, separated by |
//	default  the value of a field that the document does not mention; lists are separated by commas
//	secret   "true" when the value must not be shown
package types

const (
	APIVersion = "coracle/v1alpha1"
	Kind       = "MachineConfig"
)

// MachineConfig is one machine's whole configuration.
type MachineConfig struct {
	APIVersion string  `yaml:"apiVersion"`
	Kind       string  `yaml:"kind"`
	Machine    Machine `yaml:"machine"`
	Cluster    Cluster `yaml:"cluster"`
}
