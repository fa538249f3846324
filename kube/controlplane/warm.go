package controlplane

import (
	"k8s.io/kube-openapi/pkg/validation/spec"
	generatedopenapi "k8s.io/kubernetes/pkg/generated/openapi"
)

// Warm runs the longest part of the apiserver's construction that needs nothing, and drops what it makes. It is code that runs once,
// straight through megabytes that have to come from disk: on a processor that has nothing to do, it is over when the apiserver gets there.
func Warm() {
	generatedopenapi.GetOpenAPIDefinitions(func(string) spec.Ref { return spec.Ref{} })
}
