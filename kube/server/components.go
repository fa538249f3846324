package server

import (
	"context"
	"time"

	"github.com/coracle-os/coracle/kube/addons"
	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/flannel"
	"github.com/coracle-os/coracle/kube/manifests"
	"github.com/coracle-os/coracle/kube/status"
	"github.com/coracle-os/coracle/kube/worker"
)

const controllerManagerName = "kube-controller-manager"

// What can wait for the node, and controller-manager until the processors have time, does not wait for ever: a machine that is always busy
// needs it too. The limit is the least [worker.Worker.Patience].
const controllersLook, controllersLimit = 300 * time.Millisecond, 6 * time.Second

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
	var addonsReady worker.Latch
	list := s.Runtime()
	for _, c := range s.ControlPlane() {
		if c.Name == controllerManagerName {
			c = s.afterPods(c)
		}
		list = append(list, c)
	}
	list = append(list,
		s.Labels("kube-apiserver"),
		component.Component{Name: "pod-cidr", Run: s.assignPodCIDR, OneShot: true, Optional: true},
	)
	list = append(list, s.Network("kube-apiserver")...)
	list = append(list,
		s.Images(),
		component.Component{Name: "addons", After: []string{"kube-apiserver", "images"}, Run: s.runAddons(addonsReady.Set), Ready: addonsReady.Ready},
		s.joining("kube-apiserver"),
	)
	if len(s.Settings.Manifests) == 0 {
		list = append(list, s.manifests("addons"))
	} else {
		list = append(list, s.afterNode(s.manifests("kube-apiserver")))
	}
	if s.Settings.Devices.Enabled {
		list = append(list, s.Devices())
	}
	list = append(list, s.RunKubelet("small-images"))
	return append(list, s.fleet("addons")...)
}

// apiReady opens the gate as soon as the apiserver serves at all, and is ready when it says so of itself: the roles and
// priority classes that controllers need are there only then.
func (s *Server) apiReady(ctx context.Context) error {
	if err := s.prober.Ask(ctx, "/livez/ping"); err != nil {
		return err
	}
	s.Node.Gate.Open()
	return s.prober.Ask(ctx, "/readyz")
}

// apiLives fails too when the certificate ends with which the apiserver talks to itself: upstream's lasts three years, and only
// a restart renews it.
func (s *Server) apiLives(ctx context.Context) error { return s.prober.Ask(ctx, "/livez") }

// afterPods lets the node become Ready, and pods that are there start, before a component runs. For controller-manager: the start of controller-manager with
// its forty controllers takes the processors for seconds. It is about what changes: pods do not need it to come back after a restart,
// nor does a new pod that somebody made.
func (s *Server) afterPods(c component.Component) component.Component {
	var started worker.Latch
	run := c.Run
	c.Ready = started.Ready
	c.Run = func(ctx context.Context) error {
		s.awaitNode(ctx)
		s.WaitIdle(ctx, controllersLook, controllersLimit)
		started.Set()
		return run(ctx)
	}
	return c
}

// afterNode lets the node become Ready before a component runs that brings pods.
func (s *Server) afterNode(c component.Component) component.Component {
	run := c.Run
	c.Run = func(ctx context.Context) error {
		s.awaitNode(ctx)
		return run(ctx)
	}
	return c
}

// awaitNode waits until the node is Ready, but not for long where it brings its own CNI: it may not be, without controllers.
func (s *Server) awaitNode(ctx context.Context) {
	limit := controllersLimit
	if s.Settings.Flannel.Backend != flannel.None {
		limit = s.Patience(limit)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_ = s.Cluster().WaitForNode(ctx, status.IsReady)
}

func (s *Server) runPolicyStatus(ctx context.Context) error {
	return s.controlPlane.RunPolicyStatus(ctx, s.Client)
}

func (s *Server) watchStatus(ctx context.Context) error {
	return s.Cluster().Run(ctx, s.Recorder.SetAPIReady)
}

func (s *Server) assignPodCIDR(ctx context.Context) error {
	return s.Node.AssignPodCIDR(ctx, s.Client, s.Cluster().WaitForNode)
}

func (s *Server) runAddons(ready func()) func(context.Context) error {
	return func(ctx context.Context) error {
		config := s.addons()
		config.Ready = ready
		return addons.Run(ctx, s.Client, config)
	}
}

// manifests applies the config's manifests. Where there are none, what an earlier config had is removed, once there is time.
func (s *Server) manifests(after string) component.Component {
	var applied worker.Latch
	return component.Component{
		Name: "manifests", After: []string{after}, Ready: applied.Ready, Optional: true,
		Run: func(ctx context.Context) error {
			if len(s.Settings.Manifests) == 0 {
				s.WaitIdle(ctx, worker.ImagesLook, worker.ImagesLimit)
			}
			return manifests.Run(ctx, s.Client, manifests.Config{
				Manifests: s.Settings.Manifests, CacheDir: s.paths.manifests(), Ready: applied.Set,
				Report: func(problems []string) { s.Recorder.SetProblems("manifests", problems) },
			})
		},
	}
}
