package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// store are the Upgrades in the cluster.
type store struct{ client dynamic.ResourceInterface }

// list returns the Upgrades, the oldest first.
func (s store) list(ctx context.Context) ([]*Upgrade, error) {
	found, err := s.client.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list Upgrades: %w", err)
	}
	var all []*Upgrade
	for _, o := range found.Items {
		u := &Upgrade{}
		if err := convert(o.Object, u); err != nil {
			return nil, fmt.Errorf("Upgrade %s: %w", o.GetName(), err)
		}
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b *Upgrade) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

// save stores the status of an Upgrade, unless somebody has changed it since it was read: then it is a conflict.
func (s store) save(ctx context.Context, u *Upgrade) error {
	o := &unstructured.Unstructured{}
	if err := convert(u, &o.Object); err != nil {
		return err
	}
	o.SetAPIVersion(Resource.GroupVersion().String())
	o.SetKind(kindUpgrade)
	saved, err := s.client.UpdateStatus(ctx, o, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	u.ResourceVersion = saved.GetResourceVersion()
	return nil
}

func convert(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}
