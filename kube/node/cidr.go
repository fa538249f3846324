package node

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// podCIDRBits is the size of a node's network: upstream's --node-cidr-mask-size-ipv4.
const podCIDRBits = 24

// AssignPodCIDR gives the first node of a cluster the network that controller-manager would give it: the first. So flannel is
// there and the node Ready before controller-manager has started, which otherwise finds a node that is not Ready, and looks
// again after five seconds. controller-manager takes note of networks that nodes have, and gives all others.
func (c Config) AssignPodCIDR(ctx context.Context, config *rest.Config, wait WaitForNode) error {
	cidr, err := firstPodCIDR(c.Settings.PodCIDR)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("client of the apiserver: %w", err)
	}
	if err := wait(ctx, func(*corev1.Node) bool { return true }); err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(nodes.Items) != 1 || nodes.Items[0].Spec.PodCIDR != "" {
		return nil
	}
	patch := fmt.Appendf(nil, `{"spec":{"podCIDR":%q,"podCIDRs":[%q]}}`, cidr, cidr)
	if _, err := client.CoreV1().Nodes().Patch(ctx, c.Settings.NodeName, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("give the node its pod network: %w", err)
	}
	slog.Info("pod network assigned", "node", c.Settings.NodeName, "cidr", cidr)
	return nil
}

// firstPodCIDR is the network of the first node.
func firstPodCIDR(cluster string) (string, error) {
	network, err := netip.ParsePrefix(cluster)
	if err != nil {
		return "", fmt.Errorf("pod network: %w", err)
	}
	if !network.Addr().Is4() || network.Bits() > podCIDRBits {
		return "", fmt.Errorf("pod network %s has no /%d for a node", cluster, podCIDRBits)
	}
	return netip.PrefixFrom(network.Masked().Addr(), podCIDRBits).String(), nil
}
