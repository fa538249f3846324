package flannel

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"

	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/lease"
	"github.com/flannel-io/flannel/pkg/subnet"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Annotations by which flannel's nodes know each other. They are upstream's, so that nodes with another flannel can
// be in the same cluster.
const (
	annotationPrefix  = "flannel.alpha.coreos.com/"
	annotationManaged = annotationPrefix + "kube-subnet-manager"
	annotationType    = annotationPrefix + "backend-type"
	annotationData    = annotationPrefix + "backend-data"
	annotationV6Data  = annotationPrefix + "backend-v6-data"
	annotationIP      = annotationPrefix + "public-ip"
	annotationIPv6    = annotationPrefix + "public-ipv6"
)

// lean keeps of a node what this package reads. A node object is some 10 kB, mostly the images that it has.
func lean(n *corev1.Node) *corev1.Node {
	out := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, UID: n.UID, ResourceVersion: n.ResourceVersion},
		Spec:       corev1.NodeSpec{PodCIDRs: n.Spec.PodCIDRs},
	}
	for k, v := range n.Annotations {
		if strings.HasPrefix(k, annotationPrefix) {
			if out.Annotations == nil {
				out.Annotations = make(map[string]string)
			}
			out.Annotations[k] = v
		}
	}
	return out
}

// annotations publish what other nodes need in order to reach this one.
func annotations(attrs *lease.LeaseAttrs) map[string]string {
	out := map[string]string{annotationManaged: "true", annotationType: attrs.BackendType}
	if attrs.PublicIP != 0 {
		out[annotationIP] = attrs.PublicIP.String()
		out[annotationData] = rawJSON(attrs.BackendData)
	}
	if attrs.PublicIPv6 != nil {
		out[annotationIPv6] = attrs.PublicIPv6.String()
		out[annotationV6Data] = rawJSON(attrs.BackendV6Data)
	}
	return out
}

func rawJSON(m json.RawMessage) string {
	if m == nil {
		return "null"
	}
	return string(m)
}

// annotationPatch is a JSON merge patch that brings a node's annotations to want, nil if they are so already. Those of an IPv6
// address that the node no longer has are taken off.
func annotationPatch(now, want map[string]string) ([]byte, error) {
	change := map[string]any{}
	for k, v := range want {
		if old, ok := now[k]; !ok || old != v {
			change[k] = v
		}
	}
	for _, k := range []string{annotationIPv6, annotationV6Data} {
		_, had := now[k]
		if _, has := want[k]; had && !has {
			change[k] = nil
		}
	}
	if len(change) == 0 {
		return nil, nil
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"annotations": change}})
}

// leaseOf reads from a node how to reach its pods.
func leaseOf(n *corev1.Node, conf *subnet.Config) (lease.Lease, error) {
	v4, v6, err := families(n.Spec.PodCIDRs)
	if err != nil {
		return lease.Lease{}, fmt.Errorf("node %s: pod CIDR: %w", n.Name, err)
	}
	l := lease.Lease{EnableIPv4: conf.EnableIPv4, EnableIPv6: conf.EnableIPv6}
	if conf.EnableIPv4 && n.Annotations[annotationIPv6] == "" {
		l.EnableIPv6 = false // it has no address for that, but its IPv4 pods are within reach
	}
	l.Attrs.BackendType = n.Annotations[annotationType]
	if conf.EnableIPv4 {
		if l.Attrs.PublicIP, err = ip.ParseIP4(n.Annotations[annotationIP]); err != nil {
			return lease.Lease{}, fmt.Errorf("node %s: annotation %s: %w", n.Name, annotationIP, err)
		}
		l.Attrs.BackendData = json.RawMessage(n.Annotations[annotationData])
	}
	if l.EnableIPv6 {
		if l.Attrs.PublicIPv6, err = ip.ParseIP6(n.Annotations[annotationIPv6]); err != nil {
			return lease.Lease{}, fmt.Errorf("node %s: annotation %s: %w", n.Name, annotationIPv6, err)
		}
		l.Attrs.BackendV6Data = json.RawMessage(n.Annotations[annotationV6Data])
	}
	if l.Subnet, l.IPv6Subnet, err = subnets(v4, v6, conf); err != nil {
		return lease.Lease{}, fmt.Errorf("node %s: %w", n.Name, err)
	}
	return l, nil
}

// subnets checks a node's pod networks against the cluster's and returns them in flannel's types.
func subnets(v4, v6 string, conf *subnet.Config) (s4 ip.IP4Net, s6 ip.IP6Net, err error) {
	if conf.EnableIPv4 {
		_, n, err := net.ParseCIDR(v4)
		if err != nil {
			return s4, s6, fmt.Errorf("no IPv4 pod CIDR")
		}
		if s4 = ip.FromIPNet(n); !conf.Network.ContainsCIDR(&s4) {
			return s4, s6, fmt.Errorf("pod CIDR %s is not in the cluster's %s", v4, conf.Network)
		}
	}
	if conf.EnableIPv6 {
		_, n, err := net.ParseCIDR(v6)
		if err != nil {
			return s4, s6, fmt.Errorf("no IPv6 pod CIDR")
		}
		if s6 = ip.FromIP6Net(n); !conf.IPv6Network.ContainsCIDR(&s6) {
			return s4, s6, fmt.Errorf("pod CIDR %s is not in the cluster's %s", v6, conf.IPv6Network)
		}
	}
	return s4, s6, nil
}

// macs are the addresses of this node's vxlan interfaces at its last start. With the same again, other nodes keep
// reaching it without noticing.
func macs(n *corev1.Node) (v4, v6 string) {
	read := func(data string) string {
		var d struct{ VtepMAC string }
		if json.Unmarshal([]byte(data), &d) != nil {
			return ""
		}
		if _, err := net.ParseMAC(d.VtepMAC); err != nil {
			return ""
		}
		return d.VtepMAC
	}
	return read(n.Annotations[annotationData]), read(n.Annotations[annotationV6Data])
}
