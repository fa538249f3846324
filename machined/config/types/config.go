// Package types has the Go types of the machine config, apiVersion coracle/v1alpha1, kind MachineConfig.
//
// They are the single source of what a config may hold. All that is generic about a field is in its comment, which is
// what users read of it, and in struct tags, so that parsing, defaults, redaction, the schema and the reference need no
// list of their own (packages machined/config/strict, change and generate read them):
//
//	yaml      the field's name in the document
//	required  "true" when it has to be set; the checks in machined/config refuse a config without it
//	enum      the values that are allowed, separated by |
//	default   the value of a field that the document does not mention; lists are separated by commas
//	example   a value for the reference, as in a config; lists may be separated by commas too
//	secret    "true" when the value must not be shown; for text, and lists and maps of text
//	applies   what a change of the value needs: now (nothing), kube (Kubernetes is restarted, pods keep running),
//	          reboot, or never (it is refused). A field without the tag has that of its parent, the whole reboot
//
// A default that is worked out is said by a sentence of the comment that starts with "Default:"; the reference shows it in
// the column of defaults. After a change of a comment or a tag: make generate.
package types

const (
	APIVersion = "coracle/v1alpha1"
	Kind       = "MachineConfig"
)

// MachineConfig is one machine's whole configuration.
type MachineConfig struct {
	// Version of the form of this document.
	APIVersion string `yaml:"apiVersion" required:"true" enum:"coracle/v1alpha1" applies:"now"`
	// Kind of this document.
	Kind    string  `yaml:"kind" required:"true" enum:"MachineConfig" applies:"now"`
	Machine Machine `yaml:"machine" required:"true"`
	Cluster Cluster `yaml:"cluster" applies:"kube"`
}
