// Package control is the contract between machined and the kube process: the settings that kube is started with,
// and the status it answers with on its control socket.
package control

import "time"

const (
	RunDir       = "/run/coracle/kube"       // settings, socket, PID file; tmpfs
	StateDir     = "/var/lib/coracle/kube"   // PKI, datastore, manifests that were fetched
	AgentDir     = StateDir + "/agent"       // what an agent has of its cluster: authority, certificates, settings
	SettingsPath = RunDir + "/settings.json" // mode 0600
	SocketPath   = RunDir + "/control.sock"  // HTTP: GET /status, /healthz, /kubeconfig, /debug/pprof/; POST and DELETE /drain; GET, POST and DELETE /tokens
	PIDPath      = RunDir + "/pid"           // decimal PID of the running kube
)

// Roles of a machine.
const (
	Server = "server"
	Agent  = "agent"
)

// Settings is everything kube has to know. machined derives it from the machine config and the network. What an agent shares with
// its cluster is not in its settings: [Settings.In] puts it there.
type Settings struct {
	Role            string            `json:"role"`                  // Server or Agent
	NodeName        string            `json:"nodeName"`              // RFC 1123 subdomain
	NodeIPs         []string          `json:"nodeIPs"`               // first is the primary; at most one of each family
	ExtraSANs       []string          `json:"extraSANs,omitempty"`   // further names and addresses in the apiserver's certificate
	Endpoint        string            `json:"endpoint,omitempty"`    // host:port by which others reach the API; empty: the node's address
	Token           string            `json:"token,omitempty"`       // of an agent: its join token (package token)
	APIPort         int               `json:"apiPort"`               // 6443
	PodCIDR         string            `json:"podCIDR"`               // 10.42.0.0/16, or one of each family with a comma, IPv4 first
	ServiceCIDR     string            `json:"serviceCIDR"`           // 10.43.0.0/16, likewise
	ClusterDNS      string            `json:"clusterDNS"`            // 10.43.0.10
	ClusterDomain   string            `json:"clusterDomain"`         // cluster.local
	Datastore       Datastore         `json:"datastore"`             //
	Flannel         Flannel           `json:"flannel"`               //
	CoreDNS         CoreDNS           `json:"coreDNS"`               //
	Devices         Devices           `json:"devices,omitzero"`      //
	Fleet           Fleet             `json:"fleet,omitzero"`        //
	MachineAPI      MachineAPI        `json:"machineAPI,omitzero"`   // of this machine
	NodeLabels      map[string]string `json:"nodeLabels,omitempty"`  //
	NodeTaints      []string          `json:"nodeTaints,omitempty"`  // key=value:Effect
	ImageDirs       []string          `json:"imageDirs"`             // folders of *.tar OCI images to import when absent
	Registries      Registries        `json:"registries,omitzero"`   //
	Proxy           Proxy             `json:"proxy,omitzero"`        //
	ExtraArgs       ExtraArgs         `json:"extraArgs,omitempty"`   //
	Manifests       []Manifest        `json:"manifests,omitempty"`   // in the order in which they are applied
	ShutdownSeconds int               `json:"shutdownSeconds"`       // longest time for all pods to stop after SIGPWR
	MemoryBytes     int64             `json:"memoryBytes,omitempty"` // RAM of the machine, for GC tuning; 0: read /proc/meminfo
}

// Datastore is where the cluster's objects are kept.
type Datastore struct {
	Kind string `json:"kind"` // "sqlite"
	// Ephemeral lists what is kept in memory only: "leases", "events". They dominate writes, and flash wears out.
	Ephemeral []string `json:"ephemeral"`
}

// Flannel is the pod network.
type Flannel struct {
	Backend   string `json:"backend"`             // "vxlan", "host-gw" or "none" (another CNI is brought)
	Interface string `json:"interface,omitempty"` // default: the one with the first node IP
}

// CoreDNS is the cluster's DNS. Name servers are addresses, or address:port.
type CoreDNS struct {
	Enabled      bool                `json:"enabled"`
	Replicas     int                 `json:"replicas,omitempty"`     // 0: one
	Upstream     []string            `json:"upstream,omitempty"`     // name servers for names outside the cluster; none: the machine's
	CacheSeconds int                 `json:"cacheSeconds"`           // 0: answers are not kept
	Hosts        map[string][]string `json:"hosts,omitempty"`        // name → addresses
	Domains      map[string][]string `json:"domains,omitempty"`      // domain → name servers
	ServerBlocks string              `json:"serverBlocks,omitempty"` // of a Corefile, checked
}

// Devices lets pods use devices of the machine.
type Devices struct {
	Enabled bool `json:"enabled"`
}

// Fleet is the controller that upgrades machines, as Upgrade resources ask for it.
type Fleet struct {
	Enabled bool `json:"enabled"`
}

// MachineAPI is how others reach the machine API of the machine, at the node's address. Zero: they are not told.
type MachineAPI struct {
	Port        int    `json:"port"`
	Fingerprint string `json:"fingerprint"` // of the machine's key: SHA256:…
}

// Registries is where container images are pulled from.
type Registries struct {
	Mirrors map[string]Mirror       `json:"mirrors,omitempty"` // by the registry's host in names of images; "*": every other
	Hosts   map[string]RegistryHost `json:"hosts,omitempty"`   // by HOST[:PORT] in addresses
}

// Mirror has the images of a registry.
type Mirror struct {
	Endpoints    []string `json:"endpoints"`              // URLs, in order
	OverridePath bool     `json:"overridePath,omitempty"` // the URLs have the API's whole path
	Fallback     bool     `json:"fallback,omitempty"`     // ask the registry itself in the end
}

// RegistryHost is how a registry or mirror is talked to.
type RegistryHost struct {
	Username   string `json:"username,omitempty"`
	Password   string `json:"password,omitempty"`
	Token      string `json:"token,omitempty"` // identity token (OAuth2 refresh token)
	CA         string `json:"ca,omitempty"`    // PEM
	SkipVerify bool   `json:"skipVerify,omitempty"`
}

// Proxy is the web proxy for connections that leave the cluster. Empty: none.
type Proxy struct {
	HTTP    string   `json:"http,omitempty"`    // URL, for http://
	HTTPS   string   `json:"https,omitempty"`   // URL, for https://
	NoProxy []string `json:"noProxy,omitempty"` // hosts, .domains, addresses and networks; kube adds the cluster's own
}

// ExtraArgs are arguments of upstream's components: component (package flags has the names) → flag without -- → value.
type ExtraArgs map[string]map[string]string

// Manifest is a set of objects that the cluster is to have.
type Manifest struct {
	Name    string `json:"name"`
	Content string `json:"content,omitempty"` // YAML
	URL     string `json:"url,omitempty"`     // of a YAML file, instead
	SHA256  string `json:"sha256,omitempty"`  // of that file, hex; empty: any
}

// State of a component.
type State string

// States in the order of a component's life.
const (
	Waiting  State = "waiting"
	Starting State = "starting"
	Ready    State = "ready"
	Failed   State = "failed"
	Stopped  State = "stopped"
)

// Status is the answer to GET /status.
type Status struct {
	Version     string      `json:"version"` // of Kubernetes
	PID         int         `json:"pid"`
	Components  []Component `json:"components"`            // in start order
	APIReady    bool        `json:"apiReady"`              // the apiserver's /readyz says ok
	NodeReady   bool        `json:"nodeReady"`             // this node's Ready condition
	NodeMessage string      `json:"nodeMessage,omitempty"` // why it is not Ready
	PodsRunning int         `json:"podsRunning"`           // of this node
	PodsTotal   int         `json:"podsTotal"`             //
	Problems    []string    `json:"problems,omitempty"`    // what of the settings could not be done, or not yet; one sentence each
	Stopping    bool        `json:"stopping"`
}

// Component is one part of the kube process.
type Component struct {
	Name  string    `json:"name"` // such as "kube-apiserver"
	State State     `json:"state"`
	Since time.Time `json:"since"`
	Error string    `json:"error,omitempty"`
}
