package types

import "net/netip"

// Cluster is what all machines of a cluster have in common.
type Cluster struct {
	// Where the Kubernetes API of the cluster is reached: a host name or an address, with a port if it is not 6443. On a server it goes
	// into the certificate of the API, into kubeconfigs, and to who makes a token. An agent has to have it. Default: the server's
	// address.
	Endpoint string `yaml:"endpoint" example:"kube.example.com:6443" applies:"kube"`
	// Join token of an agent, which has to have one: what coraclectl token create has printed, on a server. Once the machine has
	// joined, it is needed only if its certificate ends or its name changes.
	Token     string    `yaml:"token" example:"coracle1.0123…cdef.abc123.0123456789abcdef" secret:"true" applies:"kube"`
	Datastore Datastore `yaml:"datastore"`
	// Network of pods, IPv4; each node takes a /24 of it. With an IPv6 network behind a comma, /48 to /64, pods and Services have
	// addresses of both families (dual-stack), and each node takes a /64 of it.
	PodCIDR Networks `yaml:"podCIDR" default:"10.42.0.0/16" example:"10.42.0.0/16,fd42::/56" applies:"never"`
	// Network of Services, IPv4; the cluster's DNS is its tenth address. With an IPv6 network behind a comma, /108 to /112, when
	// podCIDR has one too.
	ServiceCIDR Networks `yaml:"serviceCIDR" default:"10.43.0.0/16" example:"10.43.0.0/16,fd43::/112" applies:"never"`
	// DNS domain of the cluster; Services are NAME.NAMESPACE.svc.DOMAIN.
	Domain            string            `yaml:"domain" default:"cluster.local" example:"plant.internal" applies:"never"`
	Flannel           Flannel           `yaml:"flannel"`
	Addons            Addons            `yaml:"addons"`
	APIServer         APIServer         `yaml:"apiServer" applies:"kube"`
	ControllerManager ControllerManager `yaml:"controllerManager" applies:"kube"`
	Scheduler         Scheduler         `yaml:"scheduler" applies:"kube"`
	Kubelet           Kubelet           `yaml:"kubelet" applies:"kube"`
	KubeProxy         KubeProxy         `yaml:"kubeProxy" applies:"kube"`
	// Objects that the cluster is to have, applied as soon as the API answers, in this order. One that is changed here is applied
	// again, and what is taken off the list is removed from the cluster.
	Manifests []Manifest `yaml:"manifests" applies:"kube"`
}

// Datastore is where the cluster's objects are kept.
type Datastore struct {
	// Where objects are kept. sqlite: a file on DATA.
	Kind string `yaml:"kind" enum:"sqlite" default:"sqlite" example:"sqlite" applies:"never"`
	// What is kept in memory only, which spares flash; []: nothing. It begins anew when Kubernetes is restarted, its resource
	// versions too: a workload that watches leases or events across that has to list them again.
	Ephemeral []string `yaml:"ephemeral" enum:"leases|events" default:"leases,events" example:"[leases, events]" applies:"kube"`
}

// Flannel is the pod network.
type Flannel struct {
	// How packets travel between nodes. vxlan: in UDP, through any network. host-gw: by routes, all nodes on one link. none:
	// another CNI is brought.
	Backend string `yaml:"backend" enum:"vxlan|host-gw|none" default:"vxlan" example:"host-gw" applies:"reboot"`
}

// Addons are what Coracle deploys in the cluster.
type Addons struct {
	CoreDNS CoreDNS `yaml:"coredns" applies:"kube"`
	Devices Devices `yaml:"devices" applies:"kube"`
	Fleet   Fleet   `yaml:"fleet" applies:"kube"`
}

// Devices lets pods use devices of the machines, such as serial ports, as resources that they ask for.
type Devices struct {
	// Offer them, on every machine that has some. Without it a pod that asks for one waits, and the ones that have one keep it.
	Enabled bool `yaml:"enabled" default:"true" example:"false"`
}

// Fleet is the controller that upgrades the machines of the cluster, one after another, as Upgrade resources ask for it.
type Fleet struct {
	// Run it, on the server. The key that it has is to be added to machine.api.keys of every machine (docs/kubernetes.md). Without
	// it there are no Upgrade resources; those that there were are gone.
	Enabled bool `yaml:"enabled" example:"true"`
}

// CoreDNS is the cluster's DNS.
type CoreDNS struct {
	// Run CoreDNS. Without it, bring another DNS server, with a Service at the tenth address of serviceCIDR.
	Enabled bool `yaml:"enabled" default:"true" example:"true"`
	// How many pods of it there are, 1 to 10.
	Replicas int `yaml:"replicas" default:"1" example:"2"`
	// Name servers for names outside the cluster: addresses, with a port if it is not 53. Default: the machine's.
	Upstream []string `yaml:"upstream" example:"[192.0.2.1, 192.0.2.2:5353]"`
	// How long answers are kept at most, in seconds; 0 to 3600, 0: not at all.
	CacheSeconds int `yaml:"cacheSeconds" default:"30" example:"60"`
	// Addresses of names that no name server knows, for pods: name → addresses.
	Hosts map[string][]netip.Addr `yaml:"hosts" example:"{printer.plant.example: [192.0.2.9]}"`
	// Name servers of single domains: domain → addresses, with a port if it is not 53. What is below the domain is asked there only.
	Domains map[string][]string `yaml:"domains" example:"{plant.example: [192.0.2.53]}"`
	// Further server blocks, in the language of CoreDNS' Corefile. Plugins are those that are in the image (docs/kubernetes.md);
	// no import, and no environment variables.
	ServerBlocks string `yaml:"serverBlocks" example:"lab.example { template ANY ANY { rcode NXDOMAIN } }"`
}

// APIServer is the Kubernetes API.
type APIServer struct {
	// Further names and addresses in the certificate of the Kubernetes API, by which clients may reach it.
	ExtraSANs []string `yaml:"extraSANs" example:"[kube.example.com, 192.0.2.100]"`
	// Arguments of kube-apiserver, besides those that Coracle sets: flag without -- → value. feature-gates are those of all
	// components, which run in one process.
	ExtraArgs map[string]string `yaml:"extraArgs" example:"{default-not-ready-toleration-seconds: 60}"`
}

// ControllerManager runs the controllers of Kubernetes.
type ControllerManager struct {
	// Arguments of kube-controller-manager, besides those that Coracle sets: flag without -- → value.
	ExtraArgs map[string]string `yaml:"extraArgs" example:"{node-monitor-grace-period: 60s}"`
}

// Scheduler chooses a node for each pod.
type Scheduler struct {
	// Arguments of kube-scheduler, besides those that Coracle sets: flag without -- → value.
	ExtraArgs map[string]string `yaml:"extraArgs" example:"{kube-api-qps: 100}"`
}

// Kubelet runs the pods of a node.
type Kubelet struct {
	// Arguments of the kubelet, besides those that Coracle sets: flag without -- → value.
	ExtraArgs map[string]string `yaml:"extraArgs" example:"{max-pods: 40}"`
}

// KubeProxy leads packets for Services to pods.
type KubeProxy struct {
	// Arguments of kube-proxy, besides those that Coracle sets: flag without -- → value.
	ExtraArgs map[string]string `yaml:"extraArgs" example:"{nodeport-addresses: 192.0.2.0/24}"`
}

// Manifest is a set of objects in the cluster; either content or url is set.
type Manifest struct {
	// Name of the set, once in the list: lower-case letters, digits, - and . Its objects carry it in the label
	// coracle.dev/manifest.
	Name string `yaml:"name" required:"true" example:"monitoring"`
	// The objects, as YAML; --- separates them.
	Content string `yaml:"content" example:"{apiVersion: v1, kind: Namespace, metadata: {name: monitoring}}"`
	// Address of a YAML file with the objects, at most 4 MiB: https://, or http:// with sha256. It is fetched whenever Kubernetes
	// starts, and kept on DATA for when there is no network.
	URL string `yaml:"url" example:"https://example.com/monitoring.yaml"`
	// SHA-256 digest of the file at url, 64 hex digits. A file with another one is not used, and one that is there already is not
	// fetched again.
	SHA256 string `yaml:"sha256" example:"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"`
}
