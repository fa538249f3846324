// Package control is the contract between machined and the kube process: the settings that kube is started with,
// and the status it answers with on its control socket.
package control

import "time"

const (
	RunDir       = "/run/coracle/kube"       // settings, socket, PID file; tmpfs
	StateDir     = "/var/lib/coracle/kube"   // PKI, datastore
	SettingsPath = RunDir + "/settings.json" // mode 0600
	SocketPath   = RunDir + "/control.sock"  // HTTP: GET /status, /healthz, /kubeconfig, /debug/pprof/
	PIDPath      = RunDir + "/pid"           // decimal PID of the running kube
)

// Settings is everything kube has to know. machined derives it from the machine config and the network.
type Settings struct {
	Role            string            `json:"role"`                  // "server"
	NodeName        string            `json:"nodeName"`              // RFC 1123 subdomain
	NodeIPs         []string          `json:"nodeIPs"`               // first is the primary; at most one of each family
	ExtraSANs       []string          `json:"extraSANs,omitempty"`   // further names and addresses in the apiserver's certificate
	APIPort         int               `json:"apiPort"`               // 6443
	PodCIDR         string            `json:"podCIDR"`               // 10.42.0.0/16
	ServiceCIDR     string            `json:"serviceCIDR"`           // 10.43.0.0/16
	ClusterDNS      string            `json:"clusterDNS"`            // 10.43.0.10
	ClusterDomain   string            `json:"clusterDomain"`         // cluster.local
	Datastore       Datastore         `json:"datastore"`             //
	Flannel         Flannel           `json:"flannel"`               //
	CoreDNS         bool              `json:"coreDNS"`               // deploy CoreDNS
	NodeLabels      map[string]string `json:"nodeLabels,omitempty"`  //
	NodeTaints      []string          `json:"nodeTaints,omitempty"`  // key=value:Effect
	ImageDirs       []string          `json:"imageDirs"`             // folders of *.tar OCI images to import when absent
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
	Stopping    bool        `json:"stopping"`
}

// Component is one part of the kube process.
type Component struct {
	Name  string    `json:"name"` // such as "kube-apiserver"
	State State     `json:"state"`
	Since time.Time `json:"since"`
	Error string    `json:"error,omitempty"`
}
