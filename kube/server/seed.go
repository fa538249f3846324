package server

import (
	"fmt"

	"k8s.io/client-go/kubernetes/scheme"

	"github.com/coracle-os/coracle/kube/addons"
	"github.com/coracle-os/coracle/kube/controlplane"
)

// seed creates what a new cluster begins with: that of the control plane, and that of add-ons.
func (s *Server) seed(create func(key string, value []byte) error) error {
	seeds, err := addons.Seeds(s.addons())
	if err != nil {
		return err
	}
	var more []controlplane.Seed
	for _, seed := range seeds {
		kind := seed.Object.GroupVersionKind()
		object, err := scheme.Scheme.ConvertToVersion(seed.Object, kind.GroupVersion())
		if err != nil {
			return fmt.Errorf("add-on's object %s %s: %w", kind.Kind, seed.Object.GetName(), err)
		}
		more = append(more, controlplane.Seed{Resource: seed.Resource, Version: kind.GroupVersion(), Kind: kind.Kind, Object: object.(controlplane.Object)})
	}
	return s.controlPlane.Seed(create, more...)
}

// addons is what they need to know.
func (s *Server) addons() addons.Config {
	return addons.Config{
		CoreDNS: s.Settings.CoreDNS, Fleet: s.Settings.Fleet, Cluster: s.Settings.Cluster(), ClusterDNS: s.Settings.ClusterDNS, ClusterDomain: s.Settings.ClusterDomain,
	}
}
