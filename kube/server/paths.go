package server

import (
	"path/filepath"

	"k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"

	"github.com/coracle-os/coracle/kube/containerd"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/images"
)

// Paths says where everything is, so that a test can have all of it in a temporary folder.
type Paths struct {
	State      string // survives reboots: PKI, database
	Run        string // tmpfs: sockets, leaf certificates
	Kubelet    string // pods' volumes
	Plugins    string // of devices, with the socket that they register at; the kubelet has it nowhere else
	CNIConf    string // watched by containerd
	CNIBin     string
	IPAM       string // addresses that pods have; tmpfs, because no pod survives a reboot
	Containerd containerd.Config
}

// MachinePaths are those of a running machine (docs/architecture.md).
func MachinePaths() Paths {
	p := Paths{
		State:   control.StateDir,
		Run:     control.RunDir,
		Kubelet: "/var/lib/kubelet",
		Plugins: v1beta1.DevicePluginPath,
		CNIConf: "/etc/cni/net.d",
		CNIBin:  "/opt/cni/bin",
		IPAM:    "/run/coracle/ipam",
	}
	p.Containerd = containerd.Config{
		Root:         containerd.DefaultRoot,
		State:        containerd.DefaultState,
		Socket:       containerd.DefaultSocket,
		SandboxImage: images.Pause,
		CNIBinDir:    p.CNIBin,
		CNIConfDir:   p.CNIConf,
	}
	return p
}

func (p Paths) database() string        { return filepath.Join(p.State, "db", "state.db") }
func (p Paths) roles() string           { return filepath.Join(p.State, "roles") }     // there once a cluster has lived for a minute
func (p Paths) manifests() string       { return filepath.Join(p.State, "manifests") } // that were fetched
func (p Paths) pkiState() string        { return filepath.Join(p.State, "pki") }
func (p Paths) pkiRun() string          { return filepath.Join(p.Run, "pki") }
func (p Paths) datastoreSocket() string { return filepath.Join(p.Run, "datastore.sock") }
func (p Paths) ephemeralSocket() string { return filepath.Join(p.Run, "ephemeral.sock") }
func (p Paths) controlSocket() string   { return filepath.Join(p.Run, filepath.Base(control.SocketPath)) }
