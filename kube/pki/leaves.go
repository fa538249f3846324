package pki

import (
	"crypto/x509"
	"net"
	"slices"
)

// Names of leaf certificates, and of the kubeconfigs of those that are clients.
const (
	APIServer              = "kube-apiserver"                // serves
	APIServerKubeletClient = "kube-apiserver-kubelet-client" // logs, exec, port-forward
	APIServerProxyClient   = "front-proxy-client"            // towards aggregated APIs
	ControllerManager      = "kube-controller-manager"
	Scheduler              = "kube-scheduler"
	Proxy                  = "kube-proxy"
	Kubelet                = "kubelet"         // client
	KubeletServing         = "kubelet-serving" // serves
	System                 = "coracle"         // our own parts: status, add-ons, pod network
)

// Groups and users that Kubernetes gives a meaning.
const (
	groupMasters = "system:masters"
	groupNodes   = "system:nodes"
	userNode     = "system:node:" // + node name
)

// leaves lists every leaf certificate on tmpfs.
func (p *PKI) leaves() []leaf {
	c := p.config
	client, server := x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth
	node := userNode + c.NodeName
	names, ips := p.apiServerSANs()
	list := []leaf{
		{name: APIServer, authority: p.cluster, commonName: APIServer, dnsNames: names, ips: ips, usage: server, chain: true}, // agents know the authority by its hash
		{name: KubeletServing, authority: p.cluster, commonName: node, organizations: []string{groupNodes}, dnsNames: []string{c.NodeName}, ips: c.NodeIPs, usage: server},
		{name: APIServerProxyClient, authority: p.frontProxy, commonName: APIServerProxyClient, usage: client},
		{name: APIServerKubeletClient, authority: p.cluster, commonName: APIServerKubeletClient, organizations: []string{groupMasters}, usage: client},
		{name: ControllerManager, authority: p.cluster, commonName: "system:kube-controller-manager", organizations: []string{groupMasters}, usage: client},
		{name: Scheduler, authority: p.cluster, commonName: "system:kube-scheduler", usage: client},
		{name: Proxy, authority: p.cluster, commonName: "system:kube-proxy", usage: client},
		{name: Kubelet, authority: p.cluster, commonName: node, organizations: []string{groupNodes}, usage: client},
		{name: System, authority: p.cluster, commonName: "system:coracle", organizations: []string{groupMasters}, usage: client},
	}
	for i := range list {
		list[i].lifetime = LeafLifetime
	}
	return list
}

// apiServerSANs are the names and addresses under which clients reach the apiserver.
func (p *PKI) apiServerSANs() (names []string, ips []net.IP) {
	c := p.config
	service := "kubernetes.default"
	names = []string{"localhost", "kubernetes", service, service + ".svc", service + ".svc." + c.ClusterDomain, c.NodeName}
	ips = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, c.ServiceIP}
	ips = append(ips, c.NodeIPs...)
	sans := c.ExtraSANs
	if host, _, err := net.SplitHostPort(c.Endpoint); err == nil {
		sans = append(slices.Clone(sans), host)
	}
	for _, san := range sans {
		if ip := net.ParseIP(san); ip != nil {
			ips = append(ips, ip)
		} else {
			names = append(names, san)
		}
	}
	return names, ips
}
