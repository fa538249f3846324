package node

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/cmd/kube-proxy/app"

	"github.com/coracle-os/coracle/kube/flags"
)

// WaitForNode waits until this machine's Node object exists and satisfies a condition.
type WaitForNode func(ctx context.Context, condition func(*corev1.Node) bool) error

// RunProxy runs kube-proxy until ctx is cancelled; its rules stay. It ends the process when the node's addresses change,
// so it starts only once the kubelet has written those of the machine.
func (c Config) RunProxy(ctx context.Context, wait WaitForNode) error {
	err := wait(ctx, func(node *corev1.Node) bool { return hasAddresses(node, c.Settings.NodeIPs) })
	if err != nil {
		return err
	}
	opts, err := c.proxyOptions()
	if err != nil {
		return err
	}
	// Upstream's Run does not return when its context ends, so it is left behind.
	ended := make(chan error, 1)
	go func() { ended <- opts.Run(ctx) }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// proxyOptions are upstream's, complete and valid.
func (c Config) proxyOptions() (*app.Options, error) {
	opts := app.NewOptions()
	set := proxyFlagSet(opts)
	if err := set.Parse(flags.Merge(c.proxyFlags(), c.Settings.ExtraArgs[flags.KubeProxy])); err != nil {
		return nil, fmt.Errorf("flags of kube-proxy: %w", err)
	}
	if err := opts.Complete(set); err != nil {
		return nil, err
	}
	return opts, opts.Validate()
}

func (c Config) proxyFlags() []string {
	return []string{
		"--kubeconfig=" + c.Credentials.Proxy,
		"--hostname-override=" + c.Settings.NodeName,
		"--proxy-mode=nftables",
		"--cluster-cidr=" + c.Settings.PodCIDR,
		// NodePorts answer on every address; nftables mode alone takes the primary one.
		"--nodeport-addresses=0.0.0.0/0,::/0",
		// 0 leaves connection tracking as the kernel has sized it for the machine's memory.
		"--conntrack-max-per-core=0",
		"--conntrack-tcp-timeout-established=0s",
		"--conntrack-tcp-timeout-close-wait=0s",
		// Its metrics are in the apiserver's too, but it insists on a port.
		"--healthz-bind-address=127.0.0.1:10256",
		"--metrics-bind-address=127.0.0.1:10249",
		"--profiling=false",
		"--oom-score-adj=" + strconv.Itoa(OOMScoreAdj),
	}
}

// hasAddresses reports whether the node's internal addresses are exactly want.
func hasAddresses(node *corev1.Node, want []string) bool {
	var have []string
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			have = append(have, address.Address)
		}
	}
	return slices.Equal(have, want)
}
