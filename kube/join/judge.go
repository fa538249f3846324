package join

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/kubernetes/pkg/apis/certificates"

	"github.com/coracle-os/coracle/kube/control"
)

const (
	userNode   = "system:node:" // + node name
	groupNodes = "system:nodes"
)

// Reserved is what no agent may be called or have as an address: its certificate would be good for somebody else's connections.
type Reserved struct {
	Names     []string       // by which the API is reached, "localhost" and the servers' own names among them
	Addresses []net.IP       // likewise
	Networks  []netip.Prefix // of pods and Services
	Domains   []string       // of Services: what is below them
}

func (r Reserved) name(name string) bool {
	if slices.ContainsFunc(r.Domains, func(d string) bool { return strings.HasSuffix(name, "."+d) }) {
		return true
	}
	return slices.ContainsFunc(r.Names, func(n string) bool { return strings.EqualFold(n, name) })
}

func (r Reserved) address(ip net.IP) bool {
	a, ok := netip.AddrFromSlice(ip)
	a = a.Unmap()
	return !ok || a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || slices.ContainsFunc(r.Addresses, ip.Equal) ||
		slices.ContainsFunc(r.Networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// verdict on a request for a certificate.
type verdict int

const (
	notOurs verdict = iota
	approve
	deny
	wait // it may become right
)

// judge decides on a request for a certificate. nodes are those of the cluster. why is for who asked.
//
// There are two that are ours: the first certificate of an agent, with which it becomes a node, asked for with a join token; and the
// one that a node serves with, asked for with the first. Renewals of the first are approved by controller-manager: who has it may.
func judge(csr *certificatesv1.CertificateSigningRequest, nodes []*corev1.Node, reserved Reserved) (v verdict, why string) {
	joins := csr.Spec.SignerName == certificatesv1.KubeAPIServerClientKubeletSignerName && slices.Contains(csr.Spec.Groups, control.JoinGroup)
	serves := csr.Spec.SignerName == certificatesv1.KubeletServingSignerName && strings.HasPrefix(csr.Spec.Username, userNode) &&
		slices.Contains(csr.Spec.Groups, groupNodes)
	if !joins && !serves {
		return notOurs, ""
	}
	request, err := parse(csr.Spec.Request)
	if err != nil {
		return deny, err.Error()
	}
	usages := sets.NewString()
	for _, u := range csr.Spec.Usages {
		usages.Insert(string(u))
	}
	if joins {
		if err := certificates.ValidateKubeletClientCSR(request, usages); err != nil {
			return deny, "it is not the request of a kubelet: " + err.Error()
		}
		return judgeJoin(strings.TrimPrefix(request.Subject.CommonName, userNode), nodes, reserved)
	}
	if err := certificates.ValidateKubeletServingCSR(request, usages); err != nil {
		return deny, "it is not the request of a kubelet: " + err.Error()
	}
	if request.Subject.CommonName != csr.Spec.Username {
		return deny, fmt.Sprintf("%s asks for a certificate of %s", csr.Spec.Username, request.Subject.CommonName)
	}
	return judgeServing(request, strings.TrimPrefix(csr.Spec.Username, userNode), nodes, reserved)
}

// judgeJoin is whether a machine may become the node of a name.
func judgeJoin(name string, nodes []*corev1.Node, reserved Reserved) (verdict, string) {
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return deny, fmt.Sprintf("%q cannot be the name of a node: %s", name, problems[0])
	}
	taken := find(nodes, name)
	switch {
	case reserved.name(name), taken != nil && isServer(taken):
		return deny, fmt.Sprintf("the name %s is that of a server or a Service; give this machine another one (machine.name)", name)
	case taken != nil && isReady(taken):
		return deny, fmt.Sprintf("a machine with the name %s is in the cluster, and Ready; give this one another name (machine.name), or, if it is the same machine after a reset, "+
			"kubectl delete node %s", name, name)
	}
	return approve, "it has a join token, and no other machine has the name"
}

// judgeServing is whether a node may serve under the names and addresses of a request: its own, and no other.
func judgeServing(request *x509.CertificateRequest, name string, nodes []*corev1.Node, reserved Reserved) (verdict, string) {
	own := find(nodes, name)
	if own == nil {
		return wait, fmt.Sprintf("there is no node %s yet", name)
	}
	for _, dns := range request.DNSNames {
		if dns != name || reserved.name(name) && !isServer(own) {
			return deny, fmt.Sprintf("node %s asks for a certificate of %s", name, dns)
		}
	}
	for _, ip := range request.IPAddresses {
		other := slices.IndexFunc(nodes, func(n *corev1.Node) bool { return n.Name != name && hasAddress(n, ip) })
		switch {
		case reserved.address(ip):
			return deny, fmt.Sprintf("node %s asks for a certificate of %s, which is not an agent's", name, ip)
		case other >= 0:
			return wait, fmt.Sprintf("node %s asks for a certificate of %s, which is an address of node %s", name, ip, nodes[other].Name)
		case !hasAddress(own, ip):
			return wait, fmt.Sprintf("node %s asks for a certificate of %s, which is not among its addresses", name, ip)
		}
	}
	return approve, "the names and addresses are the node's own"
}

func parse(text []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, fmt.Errorf("there is no request in it")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	return request, request.CheckSignature()
}

func find(nodes []*corev1.Node, name string) *corev1.Node {
	if i := slices.IndexFunc(nodes, func(n *corev1.Node) bool { return n.Name == name }); i >= 0 {
		return nodes[i]
	}
	return nil
}

func isServer(n *corev1.Node) bool { _, is := n.Labels[control.LabelControlPlane]; return is }

func isReady(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func hasAddress(n *corev1.Node, ip net.IP) bool {
	return slices.ContainsFunc(n.Status.Addresses, func(a corev1.NodeAddress) bool { return ip.Equal(net.ParseIP(a.Address)) })
}
