// Package server runs a Kubernetes server: control plane, node, pod network and add-ons as one process.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
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
	"github.com/coracle-os/coracle/kube/process"
	"github.com/coracle-os/coracle/kube/status"
	"github.com/coracle-os/coracle/kube/worker"
)

// Server is one server with everything that its components share. The client of our own parts waits until the apiserver serves.
type Server struct {
	*worker.Worker
	paths Paths

	pki          *pki.PKI
	datastore    *datastore.Server
	controlPlane controlplane.Config
	prober       *status.Prober
}

// New prepares a server: folders, keys and certificates. Nothing runs yet.
func New(settings control.Settings, paths Paths) (*Server, error) {
	for _, dir := range []string{paths.State, paths.Run} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("create a folder of kube: %w", err)
		}
	}
	s := &Server{paths: paths, Worker: &worker.Worker{Settings: settings, Paths: paths.Paths, Recorder: status.NewRecorder()}}
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
		Seed: s.seed,
	})
	s.controlPlane = controlplane.Config{
		Settings: settings, PKI: s.pki, RunDir: paths.Run, Socket: paths.datastoreSocket(), EphemeralSocket: ephemeral,
		RolesFile: paths.roles(), WaitForDatastore: s.datastore.Wait, Seeded: s.datastore.Seeded,
	}
	gate := node.NewGate()
	s.Node = node.Config{
		Settings: settings, KubeletDir: paths.Kubelet, ContainerdSocket: paths.Containerd.Socket, Gate: gate,
		Credentials: node.Credentials{
			Kubelet: s.pki.Kubeconfig(pki.Kubelet), Proxy: s.pki.Kubeconfig(pki.Proxy), ClientCA: s.pki.ClusterCA(),
			ServingCert: s.pki.Cert(pki.KubeletServing), ServingKey: s.pki.Key(pki.KubeletServing), Dir: filepath.Join(paths.Kubelet, "pki"),
		},
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
	s.Client = rest.CopyConfig(direct)
	s.Client.Dial = gate.Dial
	cluster, err := status.NewCluster(s.Client, settings.NodeName)
	s.SetCluster(cluster)
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

// Run runs a server until a component fails or a request comes.
func (s *Server) Run(ctx context.Context, requests <-chan process.Request) error {
	return s.run(ctx, s.Components(), requests)
}

func (s *Server) run(ctx context.Context, components []component.Component, requests <-chan process.Request) error {
	if err := s.startControl(ctx, components); err != nil {
		return err
	}
	return s.Worker.Run(ctx, components, requests)
}

// WaitForNode waits until this machine's Node object exists and satisfies condition.
func (s *Server) WaitForNode(ctx context.Context, condition func(*corev1.Node) bool) error {
	return s.Cluster().WaitForNode(ctx, condition)
}

func (s *Server) startControl(ctx context.Context, components []component.Component) error {
	server := &status.Server{
		Socket: s.paths.controlSocket(), Version: version.Get().GitVersion, Kubeconfig: s.pki.AdminKubeconfig(), Recorder: s.Recorder,
		Tokens: joinTokens{s},
	}
	if slices.ContainsFunc(components, func(c component.Component) bool { return c.Name == worker.Kubelet }) {
		server.SetNode(s.Cluster(), s)
	}
	return server.Start(ctx)
}
