// Package flannel runs the pod network: flannel as a library, and the CNI configuration for its pods.
//
// The node is ready for pods as soon as it has a pod CIDR: the CNI configuration is written first, the way to other
// nodes is set up meanwhile. What was set up stays when Run ends, so pods keep their network while kube restarts.
package flannel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw" // registers itself
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"  // registers itself
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/flannel-io/flannel/pkg/trafficmngr/nftables"
)

// Run serves until ctx is done and then returns nil. It waits for the API, for this node to get a pod CIDR, and for
// its external interface; an error is a mistake in the configuration, or the end of a backend. With the backend None
// it only takes its CNI configuration away.
func Run(ctx context.Context, c Config) error {
	if c.Backend == None {
		if err := removeConflist(c.CNIConfDir); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	conf, err := c.network()
	if err != nil {
		return err
	}
	reach := c.reach(conf)
	if reach.EnableIPv6 != conf.EnableIPv6 {
		slog.Warn("flannel: the node has no IPv6 address, so IPv6 pods of other nodes are out of reach")
	}
	n, err := newNodes(c.Client, c.NodeName, conf, reach)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { n.watch.RunWithContext(ctx) })

	node, err := n.own(ctx)
	if err != nil {
		return nil // stopped while it waited
	}
	mtu := c.mtu(ethernet)
	if iface, err := c.external(reach); err == nil {
		mtu = c.mtu(iface.Iface.MTU)
	}
	if err := c.configureCNI(node.Spec.PodCIDRs, mtu); err != nil {
		return err
	}
	if c.Ready != nil {
		c.Ready()
	}

	var network backend.Network
	if !retry(ctx, "connect to other nodes", func() (err error) {
		network, err = c.connect(ctx, &wg, n, conf)
		return err
	}) {
		return nil
	}
	external := network.MTU()
	if c.Backend == VXLAN {
		external += overhead
	}
	if c.mtu(external) != mtu { // the interface came late; pods that start from now on get it right
		if err := c.configureCNI(node.Spec.PodCIDRs, c.mtu(external)); err != nil {
			return err
		}
	}
	network.Run(ctx)
	if ctx.Err() == nil {
		return fmt.Errorf("flannel: backend %s ended by itself", c.Backend)
	}
	return nil
}

func (c Config) external(conf *subnet.Config) (*backend.ExternalInterface, error) {
	all, err := nics()
	if err != nil {
		return nil, err
	}
	return external(all, c.Interface, c.NodeIPs, conf.EnableIPv4, conf.EnableIPv6)
}

func (c Config) configureCNI(podCIDRs []string, mtu int) error {
	content, err := conflist(podCIDRs, mtu, c.IPAMDir)
	if err != nil {
		return err
	}
	return writeConflist(c.CNIConfDir, content)
}

// connect sets up the way to other nodes' pods, and masquerading for what leaves the pod network.
func (c Config) connect(ctx context.Context, wg *sync.WaitGroup, n *nodes, conf *subnet.Config) (backend.Network, error) {
	iface, err := c.external(n.reach)
	if err != nil {
		return nil, err
	}
	be, err := backend.NewManager(ctx, n, iface).GetBackend(c.Backend)
	if err != nil {
		return nil, err
	}
	network, err := be.RegisterNetwork(ctx, wg, n.reach)
	if err != nil {
		return nil, err
	}
	// Masquerading is not cleaned up at the end: pods go on without this process.
	var rules nftables.NFTablesManager
	if err := rules.Init(ctx); err != nil {
		return nil, err
	}
	const resync, notFullyRandom = 0, false // resync is for iptables
	err = rules.SetupAndEnsureMasqRules(ctx, conf.Network, ip.IP4Net{}, ip.IP4Net{}, conf.IPv6Network, ip.IP6Net{}, ip.IP6Net{},
		network.Lease(), resync, notFullyRandom)
	return network, err
}

// retry calls do until it succeeds, or ctx is done: then it returns false. It says why it waits, once for each reason.
func retry(ctx context.Context, what string, do func() error) bool {
	said := ""
	for {
		err := do()
		if err == nil {
			return true
		}
		if errors.Is(err, context.Canceled) || ctx.Err() != nil {
			return false
		}
		if err.Error() != said {
			said = err.Error()
			slog.Warn("flannel: cannot "+what+" yet", "error", err)
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return false
		}
	}
}
