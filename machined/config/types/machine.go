package types

import "github.com/coracle-os/coracle/machined/keys"

// Machine is what concerns this machine, whatever cluster it is in.
type Machine struct {
	Name     string            `yaml:"name"` // RFC 1123 subdomain; default coracle- and the machine ID's first 6 hex digits
	Role     Role              `yaml:"role" enum:"server|agent"`
	Network  Network           `yaml:"network"`
	Time     Time              `yaml:"time"`
	API      API               `yaml:"api"`
	Sysctls  map[string]string `yaml:"sysctls"` // name with dots or slashes → value
	Modules  []string          `yaml:"modules"` // kernel modules to load at start
	Watchdog Watchdog          `yaml:"watchdog"`
	Logs     Logs              `yaml:"logs"`
	Labels   map[string]string `yaml:"labels"` // of the Kubernetes node
	Taints   []string          `yaml:"taints"` // of the Kubernetes node: key=value:Effect
}

// Role is what a machine does in its cluster.
type Role string

const (
	Server Role = "server" // runs the control plane, and pods
	Agent  Role = "agent"  // runs pods only
)

// Time is where the clock is set from.
type Time struct {
	Servers  []string `yaml:"servers" default:"time.cloudflare.com,0.pool.ntp.org,1.pool.ntp.org,2.pool.ntp.org"` // SNTP: host or host:port
	Disabled bool     `yaml:"disabled"`                                                                           // leave the clock alone
}

// API is the machine API and who may use it.
type API struct {
	Port int   `yaml:"port" default:"50000"` // TCP
	Keys []Key `yaml:"keys"`
}

// Key is a client's public key and what it may do.
type Key struct {
	Name string         `yaml:"name"` // whose it is; shown in logs
	Role KeyRole        `yaml:"role" enum:"admin|operator|reader"`
	Key  keys.PublicKey `yaml:"key"`
}

// KeyRole is what a key may do. Each role may do what the next one may.
type KeyRole string

const (
	Admin    KeyRole = "admin"    // everything, the cluster's admin kubeconfig among it
	Operator KeyRole = "operator" // reboot, shut down
	Reader   KeyRole = "reader"   // status and logs
)

// Watchdog is the hardware watchdog, which init feeds while machined is healthy.
type Watchdog struct {
	Timeout Duration `yaml:"timeout" default:"60s"` // the machine resets after this long without a sign of life; 0 turns it off
}

// Logs is where the logs of Kubernetes go besides memory.
type Logs struct {
	Device string `yaml:"device"` // character device such as /dev/ttyS1 or /dev/hvc0; empty: none
}
