package node

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Sizes of a node's networks: upstream's --node-cidr-mask-size-ipv4 and -ipv6.
const podCIDRBits, podCIDRBitsIPv6 = 24, 64

// AssignPodCIDR gives the first node of a cluster the network that controller-manager would give it: the first. So flannel is
// there and the node Ready before controller-manager has started, which otherwise finds a node that is not Ready, and looks
// again after five seconds. controller-manager takes note of networks that nodes have, and gives all others.
func (c Config) AssignPodCIDR(ctx context.Context, config *rest.Config, wait WaitForNode) error {
	cidrs, err := firstPodCIDRs(c.Settings.PodCIDR)
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
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"podCIDR": cidrs[0], "podCIDRs": cidrs}})
	if err != nil {
		return err
	}
	if _, err := client.CoreV1().Nodes().Patch(ctx, c.Settings.NodeName, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("give the node its pod network: %w", err)
	}
	slog.Info("pod network assigned", "node", c.Settings.NodeName, "cidrs", cidrs)
	return nil
}

// firstPodCIDRs are the networks of the first node, one of each of the cluster's.
func firstPodCIDRs(cluster string) ([]string, error) {
	var first []string
	for text := range strings.SplitSeq(cluster, ",") {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("pod network: %w", err)
		}
		bits := podCIDRBits
		if network.Addr().Is6() {
			bits = podCIDRBitsIPv6
		}
		if network.Bits() > bits {
			return nil, fmt.Errorf("pod network %s has no /%d for a node", text, bits)
		}
		first = append(first, netip.PrefixFrom(network.Masked().Addr(), bits).String())
	}
	return first, nil
}
