package worker

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/flannel"
	"github.com/coracle-os/coracle/kube/images"
	"github.com/coracle-os/coracle/kube/network"
	"github.com/coracle-os/coracle/kube/node"
)

// Images can wait until the processors have time, but not for ever: a machine that is always busy needs them too. The limit is the
// least [Worker.Patience].
const (
	ImagesLook  = time.Second
	ImagesLimit = 30 * time.Second
)

// Runtime is what comes first: containerd, and the images that pods cannot start without.
func (w *Worker) Runtime() []component.Component {
	return []component.Component{{
		Name: "containerd", Run: w.runContainerd, Ready: w.containerdReady, StopTimeout: 10 * time.Second,
	}, {
		Name: "small-images", After: []string{"containerd"}, Run: w.importImages(images.Small), OneShot: true, Optional: true,
	}}
}

// Labels makes the node have what the settings say of it. It starts after what is named.
func (w *Worker) Labels(after string) component.Component {
	return component.Component{Name: "node-labels", After: []string{after}, OneShot: true, Optional: true, Run: func(ctx context.Context) error {
		return w.Node.LabelNode(ctx, w.Client, w.Cluster().WaitForNode)
	}}
}

// Network is kube-proxy and flannel, which starts after what is named, if anything is: before the API it waits for it itself.
func (w *Worker) Network(api string, after ...string) []component.Component {
	var ready Latch
	return []component.Component{
		{Name: "kube-proxy", After: []string{api}, Run: func(ctx context.Context) error { return w.Node.RunProxy(ctx, w.Cluster().WaitForNode) }},
		{Name: Flannel, After: after, Run: w.runFlannel(ready.Set), Ready: ready.Ready},
	}
}

// Images imports what is left. A large image keeps processor and disk busy for a while when it is unpacked, at a machine's first
// start. Nothing of the start needs one, so the control plane goes first, and then pods that need none.
func (w *Worker) Images() component.Component {
	return component.Component{
		Name: "images", After: []string{"small-images", Flannel}, OneShot: true, Optional: true, Run: func(ctx context.Context) error {
			w.WaitIdle(ctx, ImagesLook, ImagesLimit)
			return w.importImages(images.All)(ctx)
		},
	}
}

// RunKubelet is the kubelet, which starts after what is named.
func (w *Worker) RunKubelet(after ...string) component.Component {
	return component.Component{
		Name: Kubelet, After: after, Run: func(ctx context.Context) error { return w.Node.RunKubelet(ctx) }, Ready: node.KubeletReady, Live: node.KubeletReady,
	}
}

// importImages imports the archives of at most largest bytes that are not there yet.
func (w *Worker) importImages(largest int64) func(context.Context) error {
	return func(ctx context.Context) error {
		return images.Import(ctx, w.Paths.Containerd.Socket, w.Settings.ImageDirs, largest)
	}
}

func (w *Worker) runFlannel(ready func()) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := network.Apply(w.hasIPv6(), w.nodeInterfaces()...); err != nil {
			return fmt.Errorf("kernel settings for pods: %w", err)
		}
		if w.Settings.Flannel.Backend == flannel.None {
			ready() // another CNI is brought, some time
		}
		return flannel.Run(ctx, flannel.Config{
			Client: w.Client, NodeName: w.Settings.NodeName, NodeIPs: w.Settings.NodeIPs, PodCIDR: w.Settings.PodCIDR,
			Backend: w.Settings.Flannel.Backend, Interface: w.Settings.Flannel.Interface,
			CNIConfDir: w.Paths.CNIConf, IPAMDir: w.Paths.IPAM, Ready: ready,
		})
	}
}

// hasIPv6 reports whether pods get IPv6 addresses.
func (w *Worker) hasIPv6() bool { return strings.Contains(w.Settings.PodCIDR, ":") }

// nodeInterfaces are the interfaces that have the node's addresses.
func (w *Worker) nodeInterfaces() []string {
	interfaces, err := net.Interfaces()
	if err != nil {
		slog.Warn("cannot list network interfaces", "error", err)
		return nil
	}
	var names []string
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, address := range addresses {
			if network, ok := address.(*net.IPNet); ok && slices.Contains(w.Settings.NodeIPs, network.IP.String()) {
				names = append(names, i.Name)
				break
			}
		}
	}
	return names
}
