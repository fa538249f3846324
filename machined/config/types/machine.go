package types

import "github.com/coracle-os/coracle/machined/keys"

// Machine is what concerns this machine, whatever cluster it is in.
type Machine struct {
	// Name of the machine and of its Kubernetes node: lower-case letters, digits, - and ., at most 63. Default: coracle- and
	// 6 digits of the machine's ID. A new host name is there at once; Kubernetes is restarted with it and registers another
	// node, and the one of the old name is to be deleted.
	Name string `yaml:"name" example:"edge-1" applies:"kube"`
	// Architecture of the processor that the config is for; a machine of another refuses it. Default: any.
	Arch string `yaml:"arch" enum:"amd64|arm64|arm" example:"arm64" applies:"now"`
	// What the machine does in its cluster.
	Role Role `yaml:"role" required:"true" enum:"server|agent" applies:"never"`
	// Copy Coracle to this disk of the machine, and run from there. One that runs from it already, or has a cluster, stays as it is.
	Install *Install `yaml:"install" applies:"now"`
	Network Network  `yaml:"network" applies:"now"`
	Time    Time     `yaml:"time" applies:"now"`
	API     API      `yaml:"api" applies:"now"`
	// Kernel settings, by their names with dots or slashes; they go over Coracle's own. No patterns (*).
	Sysctls map[string]string `yaml:"sysctls" example:"{vm.swappiness: 10}" applies:"now"`
	// Kernel modules to load, as far as the image has them. One that is taken from the list stays loaded until the next boot.
	Modules  []string `yaml:"modules" example:"wireguard" applies:"now"`
	Watchdog Watchdog `yaml:"watchdog" applies:"now"`
	SafeMode SafeMode `yaml:"safeMode" applies:"now"`
	Upgrade  Upgrade  `yaml:"upgrade" applies:"now"`
	Logs     Logs     `yaml:"logs" applies:"now"`
	// Labels of the Kubernetes node. A node may not give itself those of kubernetes.io, but node.kubernetes.io/….
	Labels map[string]string `yaml:"labels" example:"{example.com/site: harbour}" applies:"kube"`
	// Taints of the Kubernetes node: key=value:NoSchedule, :PreferNoSchedule or :NoExecute.
	Taints []string `yaml:"taints" example:"dedicated=plant:NoSchedule" applies:"kube"`
	// Where container images are pulled from: mirrors, credentials and private authorities.
	Registries Registries `yaml:"registries" applies:"kube"`
}

// Role is what a machine does in its cluster.
type Role string

const (
	Server Role = "server" // runs the control plane, and pods
	Agent  Role = "agent"  // runs pods only
)

// Time is where the clock is set from.
type Time struct {
	// SNTP servers: host, host:port or address. Those that are set here are the only ones, otherwise those of DHCP come first.
	Servers []string `yaml:"servers" default:"time.cloudflare.com,0.pool.ntp.org,1.pool.ntp.org,2.pool.ntp.org" example:"192.0.2.1,ntp.example.com"`
	// Leave the clock alone.
	Disabled bool `yaml:"disabled"`
}

// API is the machine API and who may use it.
type API struct {
	// TCP port of the machine API. The node's annotations say it, so Kubernetes is restarted with another one.
	Port int `yaml:"port" default:"50000" example:"50001" applies:"kube"`
	// Who may use it. Without any nobody can, but for GetVersion.
	Keys []Key `yaml:"keys"`
}

// Key is a client's public key and what it may do.
type Key struct {
	// Whose key it is; shown in logs.
	Name string `yaml:"name" required:"true" example:"anna"`
	// What it may do.
	Role KeyRole `yaml:"role" required:"true" enum:"admin|operator|reader"`
	// ed25519: and the public key's 32 bytes in base64.
	Key keys.PublicKey `yaml:"key" required:"true" example:"ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="`
}

// KeyRole is what a key may do. Each role may do what the next one may.
type KeyRole string

const (
	Admin    KeyRole = "admin"    // everything, the config and the cluster's kubeconfig among it
	Operator KeyRole = "operator" // restart services, reboot, shut down
	Reader   KeyRole = "reader"   // status and logs
)

// Watchdog is the hardware watchdog, which init feeds while machined is healthy.
type Watchdog struct {
	// The hardware watchdog resets the machine after this long without a sign of life: 10s to 1h, or 0s for never. Hardware may
	// have less.
	Timeout Duration `yaml:"timeout" default:"60s" example:"2m"`
}

// SafeMode is the state of a machine that was reset again and again: its API answers, and Kubernetes is not started.
type SafeMode struct {
	// The machine stays in safe mode after so many boots in a row that never got healthy: 2 to 10, or 0 for never. Healthy is a boot
	// once Kubernetes has been well for a minute. Boots that were ended in order, trials of another version, and boots with
	// another config do not count.
	After int `yaml:"after" default:"3" example:"5"`
}

// Logs is where the logs of Kubernetes go besides memory.
type Logs struct {
	// A device that gets the log of Kubernetes: a serial line (115200 baud) or a virtual console. One that fails is opened again
	// every 10 seconds. Default: none; nothing is logged to disk.
	Device string `yaml:"device" example:"/dev/ttyS1"`
}
