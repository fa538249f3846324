package join

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"

	"github.com/coracle-os/coracle/kube/control"
)

// nodes are those of a cluster: a server, an agent that is Ready, and one that is away.
func nodes() []*corev1.Node {
	make := func(name, ip string, ready corev1.ConditionStatus, labels map[string]string) *corev1.Node {
		return &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
			Status: corev1.NodeStatus{
				Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}},
				Addresses:  []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}, {Type: corev1.NodeInternalIP, Address: ip}},
			},
		}
	}
	return []*corev1.Node{
		make("server-1", "192.0.2.1", corev1.ConditionTrue, map[string]string{control.LabelControlPlane: ""}),
		make("edge-2", "192.0.2.2", corev1.ConditionTrue, nil),
		make("edge-3", "192.0.2.3", corev1.ConditionUnknown, nil),
	}
}

var reserved = Reserved{
	Names: []string{"localhost", "kubernetes", "server-1", "kube.example.com"}, Addresses: []net.IP{net.IPv4(192, 0, 2, 1), net.IPv4(203, 0, 113, 5)},
	Domains: []string{"svc", "cluster.local"}, Networks: []netip.Prefix{netip.MustParsePrefix("10.42.0.0/16"), netip.MustParsePrefix("10.43.0.0/16")},
}

// request is a request for a certificate of a node, with changes.
type request struct {
	user   string
	groups []string
	signer string
	cn, o  string
	names  []string
	ips    []string
	usage  certificatesv1.KeyUsage
	broken bool
}

func (r request) csr(t *testing.T) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var ips []net.IP
	for _, ip := range r.ips {
		ips = append(ips, net.ParseIP(ip))
	}
	text, err := cert.MakeCSR(key, &pkix.Name{CommonName: r.cn, Organization: []string{r.o}}, r.names, ips)
	if err != nil {
		t.Fatal(err)
	}
	if r.broken {
		text = []byte("no request")
	}
	return &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
		Username: r.user, Groups: r.groups, SignerName: r.signer, Request: text,
		Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, r.usage},
	}}
}

func joins(change func(*request)) request {
	r := request{
		user: "system:bootstrap:abc123", groups: []string{"system:bootstrappers", control.JoinGroup}, signer: certificatesv1.KubeAPIServerClientKubeletSignerName,
		cn: "system:node:edge-9", o: "system:nodes", usage: certificatesv1.UsageClientAuth,
	}
	change(&r)
	return r
}

func serves(change func(*request)) request {
	r := request{
		user: "system:node:edge-2", groups: []string{"system:nodes"}, signer: certificatesv1.KubeletServingSignerName,
		cn: "system:node:edge-2", o: "system:nodes", names: []string{"edge-2"}, ips: []string{"192.0.2.2"}, usage: certificatesv1.UsageServerAuth,
	}
	change(&r)
	return r
}

func TestJudge(t *testing.T) {
	for name, tc := range map[string]struct {
		request request
		want    verdict
		why     string
	}{
		"a new agent":                  {joins(func(*request) {}), approve, "join token"},
		"one that was away":            {joins(func(r *request) { r.cn = "system:node:edge-3" }), approve, ""},
		"a name in use":                {joins(func(r *request) { r.cn = "system:node:edge-2" }), deny, "kubectl delete node edge-2"},
		"a server's name":              {joins(func(r *request) { r.cn = "system:node:server-1" }), deny, "that of a server"},
		"the name of the API":          {joins(func(r *request) { r.cn = "system:node:kube.example.com" }), deny, "that of a server"},
		"the name of a Service":        {joins(func(r *request) { r.cn = "system:node:web.default.svc" }), deny, "that of a server or a Service"},
		"no name":                      {joins(func(r *request) { r.cn = "system:node:" }), deny, "cannot be the name"},
		"no node":                      {joins(func(r *request) { r.cn = "admin" }), deny, "not the request of a kubelet"},
		"an administrator":             {joins(func(r *request) { r.o = "system:masters" }), deny, "not the request of a kubelet"},
		"a name to serve under":        {joins(func(r *request) { r.names = []string{"edge-9"} }), deny, "not the request of a kubelet"},
		"to serve":                     {joins(func(r *request) { r.usage = certificatesv1.UsageServerAuth }), deny, "usages"},
		"no request":                   {joins(func(r *request) { r.broken = true }), deny, "no request"},
		"another bootstrap token":      {joins(func(r *request) { r.groups = []string{"system:bootstrappers"} }), notOurs, ""},
		"a renewal":                    {joins(func(r *request) { r.user, r.groups = "system:node:edge-9", []string{"system:nodes"} }), notOurs, ""},
		"another signer":               {joins(func(r *request) { r.signer = certificatesv1.KubeAPIServerClientSignerName }), notOurs, ""},
		"serving":                      {serves(func(*request) {}), approve, "own"},
		"serving, by address only":     {serves(func(r *request) { r.names = nil }), approve, ""},
		"serving as another node":      {serves(func(r *request) { r.cn = "system:node:edge-3" }), deny, "system:node:edge-2 asks for a certificate of system:node:edge-3"},
		"serving under another name":   {serves(func(r *request) { r.names = []string{"edge-3"} }), deny, "edge-3"},
		"serving at the API's address": {serves(func(r *request) { r.ips = []string{"203.0.113.5"} }), deny, "not an agent's"},
		"serving at a Service":         {serves(func(r *request) { r.ips = []string{"10.43.0.1"} }), deny, "not an agent's"},
		"serving at a pod":             {serves(func(r *request) { r.ips = []string{"10.42.1.5"} }), deny, "not an agent's"},
		"serving at loopback":          {serves(func(r *request) { r.ips = []string{"::1"} }), deny, "not an agent's"},
		"serving at another node":      {serves(func(r *request) { r.ips = []string{"192.0.2.3"} }), wait, "an address of node edge-3"},
		"serving at an unknown place":  {serves(func(r *request) { r.ips = append(r.ips, "192.0.2.9") }), wait, "not among its addresses"},
		"serving before it is a node": {serves(func(r *request) {
			r.user, r.cn, r.names = "system:node:edge-9", "system:node:edge-9", []string{"edge-9"}
		}), wait, "no node edge-9 yet"},
		"serving, asked for by a person": {serves(func(r *request) { r.user, r.groups = "anna", []string{"system:masters"} }), notOurs, ""},
		"a user with a node's name only": {serves(func(r *request) { r.groups = []string{"system:authenticated"} }), notOurs, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, why := judge(tc.request.csr(t), nodes(), reserved)
			if got != tc.want || !strings.Contains(why, tc.why) {
				t.Errorf("got %v, %q; want %v, %q", got, why, tc.want, tc.why)
			}
		})
	}
}

// TestJudgeClaimedAddress: an agent that says it had the address of another node gets no certificate for it.
func TestJudgeClaimedAddress(t *testing.T) {
	all := nodes()
	i := slices.IndexFunc(all, func(n *corev1.Node) bool { return n.Name == "edge-2" })
	all[i].Status.Addresses = append(all[i].Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: "192.0.2.3"}, corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: "192.0.2.1"})
	for ip, want := range map[string]verdict{"192.0.2.3": wait, "192.0.2.1": deny, "192.0.2.2": approve} {
		if got, why := judge(serves(func(r *request) { r.ips = []string{ip} }).csr(t), all, reserved); got != want {
			t.Errorf("%s: %v, %s", ip, got, why)
		}
	}
}
