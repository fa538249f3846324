package manifests

import (
	"encoding/json"
	"fmt"
	"slices"
)

// record says which objects came from which manifest.
type record map[string][]ref

// owner is the manifest that an object came from; empty: none.
func (r record) owner(of ref) string {
	for name, refs := range r {
		if slices.Contains(refs, of) {
			return name
		}
	}
	return ""
}

// equal ignores the order of objects, and manifests without any.
func (r record) equal(other record) bool {
	count := func(r record) (n int) {
		for _, refs := range r {
			n += len(refs)
		}
		return n
	}
	if count(r) != count(other) {
		return false
	}
	for name, refs := range r {
		for _, ref := range refs {
			if !slices.Contains(other[name], ref) {
				return false
			}
		}
	}
	return true
}

// encode is the data of the ConfigMap: manifest → objects, JSON.
func (r record) encode() (map[string]string, error) {
	data := map[string]string{}
	for name, refs := range r {
		if len(refs) == 0 {
			continue
		}
		text, err := json.Marshal(refs)
		if err != nil {
			return nil, err
		}
		data[name] = string(text)
	}
	return data, nil
}

func decodeRecord(data map[string]string) (record, error) {
	r := record{}
	for name, text := range data {
		var refs []ref
		if err := json.Unmarshal([]byte(text), &refs); err != nil {
			return nil, fmt.Errorf("the record of manifest %s: %w", name, err)
		}
		r[name] = refs
	}
	return r, nil
}
