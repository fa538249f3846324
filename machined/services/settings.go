package services

import (
	"net/netip"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/config/types"
)

const (
	imageDir   = "/usr/share/coracle/images"
	apiPort    = 6443
	clusterDNS = 10 // the DNS service's place in serviceCIDR, by convention

	// shutdownSeconds is how long pods get to stop when the machine goes down. init gives machined 60 s in all.
	shutdownSeconds = 40
)

// Node is what is known of the machine, besides its config, when kube is started.
type Node struct {
	Name        string
	IP          netip.Addr
	MediaImages string // folder of images on the attached volume; empty: none
	MemoryBytes int64
}

// Settings derives what kube is told.
func Settings(c types.MachineConfig, n Node) control.Settings {
	s := control.Settings{
		Role:          string(c.Machine.Role),
		NodeName:      n.Name,
		NodeIPs:       []string{n.IP.String()},
		ExtraSANs:     c.Cluster.APIServer.ExtraSANs,
		APIPort:       apiPort,
		PodCIDR:       c.Cluster.PodCIDR.String(),
		ServiceCIDR:   c.Cluster.ServiceCIDR.String(),
		ClusterDNS:    nth(c.Cluster.ServiceCIDR, clusterDNS).String(),
		ClusterDomain: c.Cluster.Domain,
		Datastore: control.Datastore{
			Kind:      c.Cluster.Datastore.Kind,
			Ephemeral: c.Cluster.Datastore.Ephemeral,
		},
		Flannel:         control.Flannel{Backend: c.Cluster.Flannel.Backend},
		CoreDNS:         c.Cluster.Addons.CoreDNS.Enabled,
		NodeLabels:      c.Machine.Labels,
		NodeTaints:      c.Machine.Taints,
		ImageDirs:       []string{imageDir},
		ShutdownSeconds: shutdownSeconds,
		MemoryBytes:     n.MemoryBytes,
	}
	if n.MediaImages != "" {
		s.ImageDirs = append(s.ImageDirs, n.MediaImages)
	}
	return s
}

// nth is the address n places after the network's own.
func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr()
	for range n {
		a = a.Next()
	}
	return a
}
