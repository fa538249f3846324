// Package controltest has settings for the tests of those who take them.
package controltest

import "github.com/coracle-os/coracle/kube/control"

// ServerSettings are those of a server as machined writes them without anything in the config's cluster section.
func ServerSettings() control.Settings {
	return control.Settings{
		Role: "server", NodeName: "edge-1", NodeIPs: []string{"192.0.2.7"}, APIPort: 6443,
		PodCIDR: "10.42.0.0/16", ServiceCIDR: "10.43.0.0/16", ClusterDNS: "10.43.0.10", ClusterDomain: "cluster.local",
		Datastore: control.Datastore{Kind: "sqlite", Ephemeral: []string{"leases", "events"}},
		Flannel:   control.Flannel{Backend: "vxlan"}, CoreDNS: control.CoreDNS{Enabled: true, CacheSeconds: 30}, ShutdownSeconds: 40,
	}
}
