package types

import "net/netip"

// Cluster is what all machines of a cluster have in common.
type Cluster struct {
	Datastore   Datastore    `yaml:"datastore"`
	PodCIDR     netip.Prefix `yaml:"podCIDR" default:"10.42.0.0/16"`
	ServiceCIDR netip.Prefix `yaml:"serviceCIDR" default:"10.43.0.0/16"`
	Domain      string       `yaml:"domain" default:"cluster.local"`
	Flannel     Flannel      `yaml:"flannel"`
	Addons      Addons       `yaml:"addons"`
	APIServer   APIServer    `yaml:"apiServer"`
}

// Datastore is where the cluster's objects are kept.
type Datastore struct {
	Kind      string   `yaml:"kind" enum:"sqlite" default:"sqlite"`
	Ephemeral []string `yaml:"ephemeral" enum:"leases|events" default:"leases,events"` // kept in memory only, which spares flash
}

// Flannel is the pod network.
type Flannel struct {
	Backend string `yaml:"backend" enum:"vxlan|host-gw|none" default:"vxlan"` // none: another CNI is brought
}

// Addons are what Coracle deploys in the cluster.
type Addons struct {
	CoreDNS Addon `yaml:"coredns"`
}

// Addon is one of them.
type Addon struct {
	Enabled bool `yaml:"enabled" default:"true"`
}

// APIServer is the Kubernetes API.
type APIServer struct {
	ExtraSANs []string `yaml:"extraSANs"` // further names and addresses in its certificate
}
