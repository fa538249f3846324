// Package server runs a Kubernetes server: control plane, node, pod network and add-ons as one process.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/version"
	netutils "k8s.io/utils/net"

	"github.com/coracle-os/coracle/kube/component"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/controlplane"
	"github.com/coracle-os/coracle/kube/datastore"
	"github.com/coracle-os/coracle/kube/node"
	"github.com/coracle-os/coracle/kube/pki"
	"github.com/coracle-os/coracle/kube/status"
)

// Server is one server with everything that its components share.
type Server struct {
	settings control.Settings
	paths    Paths

	pki          *pki.PKI
	datastore    *datastore.Server
	controlPlane controlplane.Config
	node         node.Config
	client       *rest.Config // of our own parts; waits until the apiserver serves
	prober       *status.Prober
	cluster      *status.Cluster
	recorder     *status.Recorder
}

// New prepares a server: folders, keys and certificates. Nothing runs yet.
func New(settings control.Settings, paths Paths) (*Server, error) {
	for _, dir := range []string{paths.State, paths.Run} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("create a folder of kube: %w", err)
		}
	}
	s := &Server{settings: settings, paths: paths, recorder: status.NewRecorder()}
	fresh, err := isFresh(paths)
	if err != nil {
		return nil, err
	}
	if s.pki, err = openPKI(settings, paths, fresh); err != nil {
		return nil, fmt.Errorf("keys and certificates: %w", err)
	}

	ephemeral := ""
	if len(settings.Datastore.Ephemeral) > 0 {
		ephemeral = paths.ephemeralSocket()
	}
	s.datastore = datastore.New(datastore.Config{
		Path: paths.database(), Socket: paths.datastoreSocket(), EphemeralSocket: ephemeral,
		Seed: func(create func(key string, value []byte) error) error { return s.controlPlane.Seed(create) },
	})
	s.controlPlane = controlplane.Config{
		Settings: settings, PKI: s.pki, RunDir: paths.Run, Socket: paths.datastoreSocket(), EphemeralSocket: ephemeral,
		RolesFile: paths.roles(), WaitForDatastore: s.datastore.Wait, Seeded: s.datastore.Seeded,
	}
	gate := node.NewGate()
	s.node = node.Config{
		Settings: settings, PKI: s.pki, KubeletDir: paths.Kubelet, ContainerdSocket: paths.Containerd.Socket, Gate: gate,
	}

	direct, err := clientcmd.BuildConfigFromFlags("", s.pki.Kubeconfig(pki.System))
	if err != nil {
		return nil, fmt.Errorf("our own kubeconfig: %w", err)
	}
	direct.ContentType = "application/vnd.kubernetes.protobuf"
	direct.AcceptContentTypes = direct.ContentType + ",application/json"
	direct.UserAgent = "coracle"
	if s.prober, err = status.NewProber(direct); err != nil {
		return nil, err
	}
	s.client = rest.CopyConfig(direct)
	s.client.Dial = gate.Dial
	s.cluster, err = status.NewCluster(s.client, settings.NodeName)
	return s, err
}

// isFresh reports whether no cluster was made here yet. A cluster that has lived and lost its database is an error: an empty one
// in its place would stop all pods and delete their volumes.
func isFresh(paths Paths) (bool, error) {
	exists, err := datastore.Exists(paths.database())
	if err != nil || exists {
		return false, err
	}
	_, err = os.Stat(paths.roles())
	if err == nil {
		return false, &pki.DamagedError{
			Path: paths.database(), Reason: errors.New("the cluster's database is gone"), Remedy: pki.Remedy,
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, nil
}

// openPKI translates the settings.
func openPKI(settings control.Settings, paths Paths, fresh bool) (*pki.PKI, error) {
	first, _, _ := strings.Cut(settings.ServiceCIDR, ",") // the Service "kubernetes" has an address of the first family only
	_, services, err := net.ParseCIDR(first)
	if err != nil {
		return nil, err
	}
	serviceIP, err := netutils.GetIndexedIP(services, 1)
	if err != nil {
		return nil, err
	}
	var nodeIPs []net.IP
	for _, address := range settings.NodeIPs {
		nodeIPs = append(nodeIPs, net.ParseIP(address))
	}
	return pki.Open(pki.Config{
		StateDir: paths.pkiState(), RunDir: paths.pkiRun(), NodeName: settings.NodeName, NodeIPs: nodeIPs, ServiceIP: serviceIP,
		ClusterDomain: settings.ClusterDomain, ExtraSANs: settings.ExtraSANs, Endpoint: settings.Endpoint, APIPort: settings.APIPort,
		Fresh: fresh,
	})
}

// Request is what the process was asked to do by a signal.
type Request int

// Requests.
const (
	Stop     Request = iota // stop the components, pods keep running
	PowerOff                // stop the pods first: the machine goes down
)

// Run runs the components until one fails or a request comes, then stops what is left in order.
func (s *Server) Run(ctx context.Context, components []component.Component, requests <-chan Request) error {
	if err := s.startControl(ctx, components); err != nil {
		return err
	}
	group, err := component.Start(ctx, components, s.recorder)
	if err != nil {
		return err
	}
	select {
	case err := <-group.Failed():
		return err // the process ends now; waiting for the others would only delay the next start
	case request := <-requests:
		s.recorder.SetStopping()
		started := time.Now()
		if request == PowerOff {
			group.Stop(kubeletName)
			limit := time.Duration(s.settings.ShutdownSeconds) * time.Second
			if err := node.StopPods(ctx, s.paths.Containerd.Socket, s.cluster.Pods(), limit); err != nil {
				slog.Warn("not every pod stopped in time", "error", err)
			}
		}
		group.Stop()
		slog.Info("stopped", "took", time.Since(started).Round(time.Millisecond))
		return nil
	}
}

func (s *Server) startControl(ctx context.Context, components []component.Component) error {
	server := &status.Server{
		Socket: s.paths.controlSocket(), Version: version.Get().GitVersion, Kubeconfig: s.pki.AdminKubeconfig(), Recorder: s.recorder,
	}
	if slices.ContainsFunc(components, func(c component.Component) bool { return c.Name == kubeletName }) {
		server.Cluster, server.Drainer = s.cluster, s
	}
	return server.Start(ctx)
}
