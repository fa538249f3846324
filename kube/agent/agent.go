// Package agent runs a Kubernetes agent: a node of a cluster whose control plane is on other machines.
//
// It joins with a token (package token): the token says by which authority the servers are known, and lets the machine ask for a
// certificate. From then on it is a node like any other, and the token is not needed any more.
package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/transport"
	"k8s.io/component-base/version"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/node"
	"github.com/coracle-os/coracle/kube/pki"
	"github.com/coracle-os/coracle/kube/process"
	"github.com/coracle-os/coracle/kube/status"
	"github.com/coracle-os/coracle/kube/token"
	"github.com/coracle-os/coracle/kube/worker"
	"github.com/coracle-os/coracle/machined/atomicfile"
)

// machineIDPath is where the kubelet reads the machine's ID too.
const machineIDPath = "/etc/machine-id"

// Agent is one agent with everything that its components share.
type Agent struct {
	*worker.Worker
	joiner  Joiner
	control *status.Server
	joined  worker.Latch
}

// New prepares an agent. Nothing runs yet.
func New(settings control.Settings, paths worker.Paths) (*Agent, error) {
	if err := os.MkdirAll(paths.Run, 0o700); err != nil {
		return nil, fmt.Errorf("create a folder of kube: %w", err)
	}
	// As on a server: a connection goes when its certificate is renewed.
	transport.CertCallbackRefreshDuration = pki.CheckInterval

	t, err := token.Parse(settings.Token)
	if err != nil {
		return nil, fmt.Errorf("cluster.token: %w", err)
	}
	id, err := readMachineID(machineIDPath)
	if err != nil {
		return nil, err
	}
	a := &Agent{Worker: &worker.Worker{Settings: settings, Paths: paths, Recorder: status.NewRecorder()}}
	a.joiner = Joiner{
		Dir: filepath.Join(paths.State, filepath.Base(control.AgentDir)), Endpoint: settings.Endpoint, Node: settings.NodeName, MachineID: id, Token: t,
		Report: func(problems []string) { a.Recorder.SetProblems("join", problems) },
	}
	if err := a.joiner.Prepare(); err != nil {
		return nil, err
	}
	a.control = &status.Server{
		Socket: filepath.Join(paths.Run, filepath.Base(control.SocketPath)), Version: version.Get().GitVersion, Recorder: a.Recorder,
	}
	return a, nil
}

// Run runs an agent until a component fails or a request comes.
func (a *Agent) Run(ctx context.Context, requests <-chan process.Request) error {
	if err := a.control.Start(ctx); err != nil {
		return err
	}
	return a.Worker.Run(ctx, a.components(), requests)
}

// WaitForNode waits until the machine has joined, and its Node object satisfies condition.
func (a *Agent) WaitForNode(ctx context.Context, condition func(*corev1.Node) bool) error {
	for a.joined.Ready(ctx) != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return a.Cluster().WaitForNode(ctx, condition)
}

// join makes this machine a part of its cluster, and completes what depends on that.
func (a *Agent) join(ctx context.Context) error {
	c, err := a.joiner.Join(ctx)
	if err != nil {
		return err
	}
	a.Settings = a.Settings.In(c)
	if err := process.SetProxy(a.Settings); err != nil { // before anything leaves the cluster: nothing is pulled yet
		return err
	}
	process.SetFeatureGates(c.FeatureGates)
	f, kubeconfig := a.joiner.files(), filepath.Join(a.Paths.Run, "node.kubeconfig")
	if err := writeKubeconfig(kubeconfig, f, a.joiner.Endpoint); err != nil {
		return err
	}
	a.Node = node.Config{
		Settings: a.Settings, KubeletDir: a.Paths.Kubelet, ContainerdSocket: a.Paths.Containerd.Socket,
		Credentials: node.Credentials{Kubelet: kubeconfig, Proxy: kubeconfig, ClientCA: f.authority(), Dir: f.certificates()},
	}
	a.Client = a.joiner.Config()
	a.Client.Timeout = 0 // watches last
	a.Client.ContentType = "application/vnd.kubernetes.protobuf"
	a.Client.AcceptContentTypes = a.Client.ContentType + ",application/json"
	cluster, err := status.NewCluster(a.Client, a.Settings.NodeName)
	if err != nil {
		return err
	}
	cluster.Patient = true
	a.SetCluster(cluster)
	a.control.SetNode(cluster, a)
	a.joined.Set()
	return nil
}

// writeKubeconfig writes the file with which the kubelet and kube-proxy reach the servers. It names files, which are read again when
// they change.
func writeKubeconfig(path string, f files, endpoint string) error {
	const name = "node"
	config := api.NewConfig()
	config.Clusters[name] = &api.Cluster{Server: "https://" + endpoint, CertificateAuthority: f.authority()}
	config.AuthInfos[name] = &api.AuthInfo{ClientCertificate: f.client(), ClientKey: f.client()}
	config.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode the node's kubeconfig: %w", err)
	}
	return atomicfile.Write(path, data, 0o600)
}
