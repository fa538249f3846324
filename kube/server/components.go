package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coracle-os/coracle/kube/addons"
	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/containerd"
	"github.com/coracle-os/coracle/kube/flannel"
	"github.com/coracle-os/coracle/kube/images"
	"github.com/coracle-os/coracle/kube/manifests"
	"github.com/coracle-os/coracle/kube/network"
	"github.com/coracle-os/coracle/kube/node"
	"github.com/coracle-os/coracle/kube/status"
)

const (
	kubeletName           = "kubelet"
	controllerManagerName = "kube-controller-manager"
)

// What can wait does so until the processors have time, but not for ever: a machine that is always busy needs it too.
const (
	imagesLook, imagesLimit           = time.Second, 30 * time.Second
	controllersLook, controllersLimit = 300 * time.Millisecond, 6 * time.Second
)

// ControlPlane is the control plane's components, in start order.
//
// The apiserver is the longest part of a start. What needs it only later runs meanwhile: containerd, the import of small
// images and the kubelet, whose requests wait at the gate.
func (s *Server) ControlPlane() []component.Component {
	return []component.Component{
		{Name: "certificates", Run: s.pki.Run},
		{Name: "datastore", Run: s.datastore.Run, Ready: s.datastore.Ready},
		{
			Name: "kube-apiserver", Run: s.controlPlane.RunAPIServer, Ready: s.apiReady, Live: s.apiLives,
			StopTimeout: 10 * time.Second,
		},
		{Name: "status", Run: s.watchStatus},
		{Name: controllerManagerName, After: []string{"kube-apiserver"}, Run: s.controlPlane.RunControllerManager},
		{Name: "policy-status", After: []string{"kube-apiserver"}, Run: s.runPolicyStatus},
		{Name: "kube-scheduler", After: []string{"kube-apiserver"}, Run: s.controlPlane.RunScheduler},
	}
}

// Components is everything that a machine runs, in start order; it is stopped in the reverse: the kubelet first, containerd
// last.
func (s *Server) Components() []component.Component {
	var flannelReady, addonsReady latch
	list := []component.Component{{
		Name: "containerd", Run: s.runContainerd, Ready: s.containerdReady, StopTimeout: 10 * time.Second,
	}, {
		Name: "small-images", After: []string{"containerd"}, Run: s.importImages(images.Small), OneShot: true, Optional: true,
	}}
	for _, c := range s.ControlPlane() {
		if c.Name == controllerManagerName {
			c = s.afterPods(c)
		}
		list = append(list, c)
	}
	list = append(list,
		component.Component{Name: "node-labels", After: []string{"kube-apiserver"}, Run: s.labelNode, OneShot: true, Optional: true},
		component.Component{Name: "pod-cidr", Run: s.assignPodCIDR, OneShot: true, Optional: true},
		component.Component{Name: "kube-proxy", After: []string{"kube-apiserver"}, Run: s.runProxy},
		component.Component{Name: "flannel", Run: s.runFlannel(flannelReady.set), Ready: flannelReady.ready},
		// A large image keeps processor and disk busy for a while when it is unpacked, at a machine's first start. Nothing of
		// the start needs one, so the control plane goes first, and then pods that need none.
		component.Component{
			Name: "images", After: []string{"small-images", "flannel"}, Run: s.importLater, OneShot: true, Optional: true,
		},
		component.Component{Name: "addons", After: []string{"kube-apiserver", "images"}, Run: s.runAddons(addonsReady.set), Ready: addonsReady.ready},
		s.manifests("addons"),
	)
	list = append(list, s.devices()...)
	list = append(list,
		component.Component{Name: kubeletName, After: []string{"small-images"}, Run: s.node.RunKubelet, Ready: node.KubeletReady, Live: node.KubeletReady},
	)
	return append(list, s.fleet("addons")...)
}

// apiReady opens the gate as soon as the apiserver serves at all, and is ready when it says so of itself: the roles and
// priority classes that controllers need are there only then.
func (s *Server) apiReady(ctx context.Context) error {
	if err := s.prober.Ask(ctx, "/livez/ping"); err != nil {
		return err
	}
	s.node.Gate.Open()
	return s.prober.Ask(ctx, "/readyz")
}

// apiLives fails too when the certificate ends with which the apiserver talks to itself: upstream's lasts three years, and only
// a restart renews it.
func (s *Server) apiLives(ctx context.Context) error { return s.prober.Ask(ctx, "/livez") }

// afterPods lets the node become Ready, and pods that are there start, before a component runs. For controller-manager: the start of controller-manager with
// its forty controllers takes the processors for seconds. It is about what changes: pods do not need it to come back after a restart,
// nor does a new pod that somebody made.
func (s *Server) afterPods(c component.Component) component.Component {
	var started latch
	run := c.Run
	c.Ready = started.ready
	c.Run = func(ctx context.Context) error {
		ready, cancel := context.WithTimeout(ctx, controllersLimit)
		_ = s.cluster.WaitForNode(ready, status.IsReady) // one that brings its own CNI is not, without controllers
		cancel()
		waitIdle(ctx, controllersLook, controllersLimit)
		started.set()
		return run(ctx)
	}
	return c
}

func (s *Server) runPolicyStatus(ctx context.Context) error {
	return s.controlPlane.RunPolicyStatus(ctx, s.client)
}

func (s *Server) watchStatus(ctx context.Context) error {
	return s.cluster.Run(ctx, s.recorder.SetAPIReady)
}

func (s *Server) runContainerd(ctx context.Context) error {
	if err := network.MakeConfDir(s.paths.CNIConf); err != nil {
		return err
	}
	return containerd.Run(ctx, s.paths.Containerd)
}

// containerdReady looks whether the socket is served before it asks: gRPC logs each refused connection.
func (s *Server) containerdReady(ctx context.Context) error {
	connection, err := net.Dial("unix", s.paths.Containerd.Socket)
	if err != nil {
		return err
	}
	_ = connection.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return containerd.Ready(ctx, s.paths.Containerd.Socket)
}

// importLater imports what importing small images has left, once the pods that wait for none of it have their turn.
func (s *Server) importLater(ctx context.Context) error {
	waitIdle(ctx, imagesLook, imagesLimit)
	return s.importImages(images.All)(ctx)
}

// importImages imports the archives of at most largest bytes that are not there yet.
func (s *Server) importImages(largest int64) func(context.Context) error {
	return func(ctx context.Context) error {
		return images.Import(ctx, s.paths.Containerd.Socket, s.settings.ImageDirs, largest)
	}
}

func (s *Server) runProxy(ctx context.Context) error {
	return s.node.RunProxy(ctx, s.cluster.WaitForNode)
}

func (s *Server) labelNode(ctx context.Context) error {
	return s.node.LabelNode(ctx, s.client, s.cluster.WaitForNode)
}

func (s *Server) assignPodCIDR(ctx context.Context) error {
	return s.node.AssignPodCIDR(ctx, s.client, s.cluster.WaitForNode)
}

func (s *Server) runFlannel(ready func()) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := network.Apply(s.hasIPv6(), s.nodeInterfaces()...); err != nil {
			return fmt.Errorf("kernel settings for pods: %w", err)
		}
		if s.settings.Flannel.Backend == flannel.None {
			ready() // another CNI is brought, some time
		}
		return flannel.Run(ctx, flannel.Config{
			Client: s.client, NodeName: s.settings.NodeName, NodeIPs: s.settings.NodeIPs, PodCIDR: s.settings.PodCIDR,
			Backend: s.settings.Flannel.Backend, Interface: s.settings.Flannel.Interface,
			CNIConfDir: s.paths.CNIConf, IPAMDir: s.paths.IPAM, Ready: ready,
		})
	}
}

func (s *Server) runAddons(ready func()) func(context.Context) error {
	return func(ctx context.Context) error {
		return addons.Run(ctx, s.client, addons.Config{
			CoreDNS: s.settings.CoreDNS, Fleet: s.settings.Fleet, ClusterDNS: s.settings.ClusterDNS, ClusterDomain: s.settings.ClusterDomain, Ready: ready,
		})
	}
}

// manifests applies the config's manifests. Where there are none, what an earlier config had is removed, once there is time.
func (s *Server) manifests(after string) component.Component {
	var applied latch
	return component.Component{
		Name: "manifests", After: []string{after}, Ready: applied.ready, Optional: true,
		Run: func(ctx context.Context) error {
			if len(s.settings.Manifests) == 0 {
				waitIdle(ctx, imagesLook, imagesLimit)
			}
			return manifests.Run(ctx, s.client, manifests.Config{
				Manifests: s.settings.Manifests, CacheDir: s.paths.manifests(), Ready: applied.set,
				Report: func(problems []string) { s.recorder.SetProblems("manifests", problems) },
			})
		},
	}
}

// hasIPv6 reports whether pods get IPv6 addresses.
func (s *Server) hasIPv6() bool { return strings.Contains(s.settings.PodCIDR, ":") }

// nodeInterfaces are the interfaces that have the node's addresses.
func (s *Server) nodeInterfaces() []string {
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
			if network, ok := address.(*net.IPNet); ok && slices.Contains(s.settings.NodeIPs, network.IP.String()) {
				names = append(names, i.Name)
				break
			}
		}
	}
	return names
}

// latch turns a part's call back into an answer for component.Component.Ready.
type latch struct {
	once sync.Once
	done chan struct{}
}

func (l *latch) channel() chan struct{} {
	l.once.Do(func() { l.done = make(chan struct{}) })
	return l.done
}

func (l *latch) set() { close(l.channel()) }

func (l *latch) ready(context.Context) error {
	select {
	case <-l.channel():
		return nil
	default:
		return errors.New("not ready yet")
	}
}
