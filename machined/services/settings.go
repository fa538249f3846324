package services

import (
	"net/netip"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/flags"
	"github.com/coracle-os/coracle/machined/config/types"
)

const (
	imageDir   = "/usr/share/coracle/images"
	clusterDNS = 10 // the DNS service's place in serviceCIDR, by convention

	// shutdownSeconds is how long pods get to stop when the machine goes down. init gives machined 60 s in all.
	shutdownSeconds = 40
)

// Node is what is known of the machine, besides its config, when kube is started.
type Node struct {
	Name        string
	IP          netip.Addr
	IPv6        netip.Addr // beside an IPv4 address, in a cluster of both families; not valid: none
	Fingerprint string     // of the machine's key; empty: it has none yet
	MediaImages string     // folder of images on the attached volume; empty: none
	MemoryBytes int64
}

// Settings derives what kube is told.
func Settings(c types.MachineConfig, n Node) control.Settings {
	s := control.Settings{
		Role:            string(c.Machine.Role),
		NodeName:        n.Name,
		NodeIPs:         []string{n.IP.String()},
		Endpoint:        control.HostPort(c.Cluster.Endpoint),
		NodeLabels:      c.Machine.Labels,
		NodeTaints:      c.Machine.Taints,
		ImageDirs:       []string{imageDir},
		Registries:      registries(c.Machine.Registries),
		Proxy:           control.Proxy(c.Machine.Network.Proxy),
		ExtraArgs:       extraArgs(c.Cluster),
		ShutdownSeconds: shutdownSeconds,
		MemoryBytes:     n.MemoryBytes,
	}
	if c.Machine.Role == types.Agent {
		s.Token = c.Cluster.Token
	} else {
		ofServer(&s, c.Cluster)
	}
	if n.Fingerprint != "" {
		s.MachineAPI = control.MachineAPI{Port: c.Machine.API.Port, Fingerprint: n.Fingerprint}
	}
	if n.IPv6.IsValid() {
		s.NodeIPs = append(s.NodeIPs, n.IPv6.String())
	}
	if n.MediaImages != "" {
		s.ImageDirs = append(s.ImageDirs, n.MediaImages)
	}
	return s
}

// ofServer adds what the server's config says of the whole cluster. Agents are told by the server.
func ofServer(s *control.Settings, c types.Cluster) {
	s.ExtraSANs = c.APIServer.ExtraSANs
	s.APIPort = control.DefaultAPIPort
	s.PodCIDR = c.PodCIDR.String()
	s.ServiceCIDR = c.ServiceCIDR.String()
	s.ClusterDNS = nth(c.ServiceCIDR.IPv4(), clusterDNS).String()
	s.ClusterDomain = c.Domain
	s.Datastore = control.Datastore{Kind: c.Datastore.Kind, Ephemeral: c.Datastore.Ephemeral}
	s.Flannel = control.Flannel{Backend: c.Flannel.Backend}
	s.CoreDNS = coreDNS(c.Addons.CoreDNS)
	s.Devices = control.Devices(c.Addons.Devices)
	s.Fleet = control.Fleet(c.Addons.Fleet)
	s.Manifests = manifests(c.Manifests)
}

func coreDNS(c types.CoreDNS) control.CoreDNS {
	d := control.CoreDNS{
		Enabled: c.Enabled, Replicas: c.Replicas, Upstream: c.Upstream, CacheSeconds: c.CacheSeconds,
		Domains: c.Domains, ServerBlocks: c.ServerBlocks,
	}
	for name, addresses := range c.Hosts {
		if d.Hosts == nil {
			d.Hosts = map[string][]string{}
		}
		for _, a := range addresses {
			d.Hosts[name] = append(d.Hosts[name], a.String())
		}
	}
	return d
}

func registries(c types.Registries) control.Registries {
	var r control.Registries
	for host, m := range c.Mirrors {
		if r.Mirrors == nil {
			r.Mirrors = map[string]control.Mirror{}
		}
		r.Mirrors[host] = control.Mirror(m)
	}
	for host, h := range c.Hosts {
		if r.Hosts == nil {
			r.Hosts = map[string]control.RegistryHost{}
		}
		r.Hosts[host] = control.RegistryHost(h)
	}
	return r
}

func extraArgs(c types.Cluster) control.ExtraArgs {
	var all control.ExtraArgs
	for component, args := range map[string]map[string]string{
		flags.APIServer:         c.APIServer.ExtraArgs,
		flags.ControllerManager: c.ControllerManager.ExtraArgs,
		flags.Scheduler:         c.Scheduler.ExtraArgs,
		flags.Kubelet:           c.Kubelet.ExtraArgs,
		flags.KubeProxy:         c.KubeProxy.ExtraArgs,
	} {
		if len(args) == 0 {
			continue
		}
		if all == nil {
			all = control.ExtraArgs{}
		}
		all[component] = args
	}
	return all
}

func manifests(list []types.Manifest) []control.Manifest {
	var all []control.Manifest
	for _, m := range list {
		all = append(all, control.Manifest(m))
	}
	return all
}

// nth is the address n places after the network's own.
func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Masked().Addr()
	for range n {
		a = a.Next()
	}
	return a
}
