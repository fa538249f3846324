package addons

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Seed is an object that a new cluster begins with.
type Seed struct {
	Resource string // the API's name of its kind: "configmaps"
	Object   *unstructured.Unstructured
}

// Seeds are what agents need to join, which are then there long before the images of other add-ons are imported. They are as [Run] wants
// them: it applies none of them again.
func Seeds(c Config) ([]Seed, error) {
	var seeds []Seed
	for _, a := range addons {
		if !a.seeded || !a.enabled(c) {
			continue
		}
		objects, err := a.render(values{Config: c})
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			k, err := kindOf(o)
			if err != nil {
				return nil, fmt.Errorf("add-on %s: %w", a.name, err)
			}
			seeds = append(seeds, Seed{k.resource, o})
		}
	}
	return seeds, nil
}
