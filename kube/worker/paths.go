package worker

import (
	"k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"

	"github.com/coracle-os/coracle/kube/containerd"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/images"
)

// Paths says where everything is, so that a test can have all of it in a temporary folder.
type Paths struct {
	State      string // survives reboots: keys, database
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
