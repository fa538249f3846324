package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/host"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/machined/network"
	"github.com/coracle-os/coracle/machined/services"
	"github.com/coracle-os/coracle/machined/state"
)

// node is the Kubernetes node that this machine is to be.
type node struct {
	config  types.MachineConfig
	chooser services.NodeIP
	ip      netip.Addr // that it has; zero: none yet
	ipv6    netip.Addr // beside it, in a cluster of both families; zero: none
}

// startKube lets Kubernetes run, as soon as the node has an address, but not in safe mode, and not before the machine is installed. See placeNode.
func (d *daemon) startKube(context.Context) error {
	c, configured := d.current()
	if !configured || !d.dataReady {
		return nil
	}
	if d.boots.Safe() || d.installs() {
		d.kube.Dismiss()
		return nil
	}
	if c.Machine.Role == types.Agent {
		joinedCluster(&c.Cluster, control.AgentDir)
	}
	n := &node{config: c, chooser: services.NodeIP{
		Cluster: c.Cluster, Current: runningNodeIP(control.SettingsPath), CurrentIPv6: runningAddress(control.SettingsPath, 1),
	}}
	d.mu.Lock()
	d.node = n
	d.mu.Unlock()
	select {
	case d.nodeChanged <- struct{}{}:
	default:
	}
	return nil
}

// joinedCluster puts in the networks of the cluster that an agent has joined; before that they are not known. The node's address is in
// none of them.
func joinedCluster(c *types.Cluster, dir string) {
	var told control.Cluster
	text, err := os.ReadFile(filepath.Join(dir, control.ClusterKey))
	if err != nil || json.Unmarshal(text, &told) != nil {
		return
	}
	var pods, services types.Networks
	if pods.UnmarshalText([]byte(told.PodCIDR)) == nil && services.UnmarshalText([]byte(told.ServiceCIDR)) == nil {
		c.PodCIDR, c.ServiceCIDR = pods, services
	}
}

// runningNodeIP is the address that a kube of an earlier machined runs with. It keeps it while the network is looked at.
func runningNodeIP(path string) netip.Addr { return runningAddress(path, 0) }

// runningAddress is the first or second address in a kube's settings; zero: it has none.
func runningAddress(path string, place int) netip.Addr {
	var s control.Settings
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &s) != nil || len(s.NodeIPs) <= place {
		return netip.Addr{}
	}
	ip, _ := netip.ParseAddr(s.NodeIPs[place])
	return ip
}

const conditionNodeAddress = "node.address"

// placeNode gives the node its address from the network's state, and kube its settings. It returns how long that is good
// for. started is when the network was first brought up.
func (d *daemon) placeNode(s network.State, started time.Time) time.Duration {
	d.mu.Lock()
	n := d.node
	d.mu.Unlock()
	if n == nil || s.Pending { // what the network was is no reason for an address
		return time.Hour
	}
	now := time.Now()
	addresses := nodeAddresses(s)
	ip, until := n.chooser.Choose(addresses, now, started)
	wait := time.Hour
	if !until.IsZero() {
		wait = until.Sub(now)
	}
	if !ip.IsValid() {
		return wait
	}
	ipv6, until := n.chooser.IPv6(addresses, now, started)
	if !until.IsZero() {
		return min(wait, until.Sub(now))
	}
	if ip == n.ip && ipv6 == n.ipv6 {
		return wait
	}
	own := ip == services.OwnAddress(n.config.Cluster)
	if err := setDummy(ip, own); err != nil {
		d.log.Error("the node's own address", "error", err)
		return 5 * time.Second
	}
	d.store.Put(own, state.Condition{
		ID: conditionNodeAddress, Severity: state.Warning,
		Message: fmt.Sprintf("The network gives this machine no IPv4 address. Kubernetes runs for itself, at %s.", ip),
		Hint:    "see to the cable and the DHCP server; Kubernetes is restarted with an address as soon as there is one",
	})
	if n.ip.IsValid() {
		d.log.Warn(fmt.Sprintf("the node's address was %s and is %s: Kubernetes is restarted with it", addressText(n.ip, n.ipv6), addressText(ip, ipv6)))
	}
	n.ip, n.ipv6 = ip, ipv6
	if err := d.runKube(n); err != nil {
		d.log.Error("settings of kube", "error", err)
	}
	return wait
}

// addressText is one address or both.
func addressText(ip, ipv6 netip.Addr) string {
	if !ipv6.IsValid() {
		return ip.String()
	}
	return ip.String() + " and " + ipv6.String()
}

// nodeAddresses are the addresses that a node could have.
func nodeAddresses(s network.State) []services.Address {
	var list []services.Address
	for _, a := range s.Addresses {
		list = append(list, services.Address{Interface: a.Interface, Addr: a.Prefix.Addr(), Default: a.Interface == s.DefaultRoute.Interface})
	}
	return list
}

// runKube makes kube run with what is known of the node.
func (d *daemon) runKube(n *node) error {
	name := d.machineName()
	d.store.Update(func(m *state.Machine) { m.Kube.NodeIP = n.ip.String() })
	if err := host.WriteHosts(host.EtcDir, name, n.ip); err != nil {
		d.log.Error("hosts", "error", err)
	}
	memory, _, err := host.Memory()
	if err != nil {
		d.log.Info("how much memory there is", "error", err)
	}
	return d.kube.Want(services.Settings(n.config, services.Node{
		Name: name, IP: n.ip, IPv6: n.ipv6, Fingerprint: d.fingerprint(), MediaImages: d.imagesOnMedia(), MemoryBytes: int64(memory),
	}))
}

// fingerprint is that of the machine's key; empty: it has none.
func (d *daemon) fingerprint() string {
	if d.machineKey == nil {
		return ""
	}
	return keys.Public(d.machineKey).Fingerprint()
}

// setDummy gives the dummy interface address ip, or takes the interface away.
func setDummy(ip netip.Addr, wanted bool) error {
	if !wanted {
		return network.RemoveDummy(services.DummyInterface)
	}
	return network.EnsureDummy(services.DummyInterface, ip)
}
