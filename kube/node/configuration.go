package node

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubelet/types"
	"k8s.io/kubernetes/pkg/util/taints"
	"k8s.io/utils/ptr"
)

// healthzPort is the kubelet's, on the loopback interface.
const healthzPort = 10248

// kubeletConfiguration is upstream's default with the changes below.
func (c Config) kubeletConfiguration() (*config.KubeletConfiguration, error) {
	k, err := options.NewKubeletConfiguration()
	if err != nil {
		return nil, fmt.Errorf("default kubelet configuration: %w", err)
	}
	s := c.Settings
	registerTaints, _, err := taints.ParseTaints(s.NodeTaints)
	if err != nil {
		return nil, fmt.Errorf("node taints: %w", err)
	}
	k.RegisterWithTaints = registerTaints

	// Who may ask the kubelet: the apiserver and whom RBAC allows nodes/proxy, over TLS that the cluster CA vouches for.
	k.TLSCertFile, k.TLSPrivateKeyFile = c.Credentials.ServingCert, c.Credentials.ServingKey
	k.RotateCertificates, k.ServerTLSBootstrap = c.Credentials.asks(), c.Credentials.asks()
	k.Authentication.X509.ClientCAFile = c.Credentials.ClientCA
	k.Authentication.Webhook.Enabled = true
	k.Authentication.Anonymous.Enabled = false
	k.Authorization.Mode = config.KubeletAuthorizationModeWebhook
	k.ReadOnlyPort = 0

	k.ContainerRuntimeEndpoint = "unix://" + c.ContainerdSocket
	k.CgroupDriver = "cgroupfs" // there is no systemd
	k.CgroupRoot = "/"
	// Swap is in compressed memory. Pods that ask for some memory and may have more share it, in proportion (upstream: none has any).
	k.FailSwapOn = false
	k.MemorySwap.SwapBehavior = string(types.LimitedSwap)
	k.HairpinMode = config.HairpinVeth
	k.MakeIPTablesUtilChains = false // there is no iptables
	k.ClusterDNS = []string{s.ClusterDNS}
	k.ClusterDomain = s.ClusterDomain
	k.ResolverConfig = "/etc/resolv.conf"
	k.StaticPodPath = ""
	k.VolumePluginDir = c.KubeletDir + "/volume-plugins" // upstream's /usr/libexec is read-only here
	k.OOMScoreAdj = OOMScoreAdj
	k.HealthzPort = healthzPort

	// Flash: the status of a node that does not change is written four times an hour (upstream: twelve times); leases say
	// that it lives. Logs of a container are at most 2 × 5 MiB (upstream: 5 × 10 MiB).
	k.NodeStatusReportFrequency = metav1.Duration{Duration: 15 * time.Minute}
	k.ContainerLogMaxSize = "5Mi"
	k.ContainerLogMaxFiles = 2
	k.NodeStatusMaxImages = 20

	// Two pulls at once: one slow registry does not hold up every pod, and small machines are not swamped.
	k.SerializeImagePulls = false
	k.MaxParallelImagePulls = ptr.To[int32](2)

	// Upstream evicts below 100 MiB of free memory, a fifth of our smallest machine, and at 10 or 15 % of a disk that
	// may be 4 GB.
	k.EvictionHard = map[string]string{
		"memory.available":   "32Mi",
		"nodefs.available":   "5%",
		"nodefs.inodesFree":  "5%",
		"imagefs.available":  "5%",
		"imagefs.inodesFree": "5%",
	}
	k.EvictionPressureTransitionPeriod = metav1.Duration{Duration: time.Minute}
	return k, nil
}
