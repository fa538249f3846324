// Package node runs what makes this machine a node: the kubelet, kube-proxy, and the orderly stop of pods.
package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	clientset "k8s.io/client-go/kubernetes"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/connrotation"
	"k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/flags"
)

// Config is what a node has to know.
type Config struct {
	Settings         control.Settings
	Credentials      Credentials
	KubeletDir       string // pods' volumes and checkpoints
	ContainerdSocket string
	Gate             *Gate // to the apiserver; nil: that is elsewhere
}

// OOMScoreAdj of the kube process: a pod dies before it, machined after it (docs/architecture.md).
const OOMScoreAdj = -900

// RunKubelet runs the kubelet until ctx is cancelled; pods keep running. containerd has to answer, the apiserver need not.
func (c Config) RunKubelet(ctx context.Context) error {
	if err := dropCheckpoints(c.KubeletDir); err != nil {
		return err
	}
	server, err := c.kubeletServer()
	if err != nil {
		return err
	}
	dependencies, err := app.UnsecuredDependencies(ctx, server, utilfeature.DefaultFeatureGate)
	if err != nil {
		return err
	}
	if c.Gate != nil {
		if err := c.setClients(server, dependencies); err != nil {
			return err
		}
	}
	return app.Run(ctx, server, dependencies, utilfeature.DefaultFeatureGate)
}

// KubeletReady asks the kubelet's health endpoint.
func KubeletReady(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/healthz", healthzPort), nil)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("kubelet health: %s", response.Status)
	}
	return nil
}

func (c Config) kubeletServer() (*options.KubeletServer, error) {
	configuration, err := c.kubeletConfiguration()
	if err != nil {
		return nil, err
	}
	own := options.NewKubeletFlags()
	own.KubeConfig = c.Credentials.Kubelet
	own.HostnameOverride = c.Settings.NodeName
	own.NodeIP = strings.Join(c.Settings.NodeIPs, ",")
	own.RootDirectory = c.KubeletDir
	own.CertDirectory = c.Credentials.Dir
	own.NodeLabels = maps.Clone(c.Settings.NodeLabels)
	if extra := c.Settings.ExtraArgs[flags.Kubelet]; len(extra) > 0 {
		if err := kubeletFlagSet(own, configuration).Parse(flags.Merge(nil, extra)); err != nil {
			return nil, fmt.Errorf("flags of the kubelet: %w", err)
		}
	}
	return &options.KubeletServer{KubeletFlags: *own, KubeletConfiguration: *configuration}, nil
}

// setClients gives the kubelet clients whose connections pass the gate; otherwise it would make its own.
func (c Config) setClients(server *options.KubeletServer, dependencies *kubelet.Dependencies) error {
	config, err := clientcmd.BuildConfigFromFlags("", server.KubeConfig)
	if err != nil {
		return fmt.Errorf("kubelet's kubeconfig: %w", err)
	}
	// The kubelet's connections are closed when heartbeats fail, so that the next request connects anew; nobody else's are.
	connections := connrotation.NewDialer(c.Gate.Dial)
	config.Dial = connections.DialContext
	config.ContentType = server.ContentType
	config.AcceptContentTypes = server.ContentType + ",application/json"
	config.QPS, config.Burst = float32(server.KubeAPIQPS), int(server.KubeAPIBurst)

	events := rest.CopyConfig(config)
	events.QPS, events.Burst = float32(server.EventRecordQPS), int(server.EventBurst)
	heartbeat := rest.CopyConfig(config)
	heartbeat.QPS = -1
	heartbeat.Timeout = server.NodeStatusUpdateFrequency.Duration

	var errs [3]error
	dependencies.KubeClient, errs[0] = clientset.NewForConfig(config)
	dependencies.EventClient, errs[1] = corev1.NewForConfig(events)
	dependencies.HeartbeatClient, errs[2] = clientset.NewForConfig(heartbeat)
	dependencies.OnHeartbeatFailure = connections.CloseAll
	return errors.Join(errs[:]...)
}

// dropCheckpoints removes state of the kubelet's resource managers that a power cut has emptied: the kubelet ends the
// process over such a file for ever, while without it the file is made anew from the running pods.
func dropCheckpoints(dir string) error {
	for _, name := range []string{"cpu_manager_state", "memory_manager_state", "allocated_pods_state", "actuated_pods_state", "dra_manager_state", "device-plugins/kubelet_internal_checkpoint"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Size() == 0 {
			if err := os.Remove(path); err != nil {
				return fmt.Errorf("remove torn kubelet state: %w", err)
			}
		}
	}
	return nil
}
