package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/certificate/csr"

	"github.com/coracle-os/coracle/kube/agent"
	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/token"
)

// TestJoin: agents join a control plane, and those that should not do not.
func TestJoin(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	t.Setenv(addonsVariable, "1")
	dir := t.TempDir()
	settings := writeSettings(t, dir)
	settings.Manifests, settings.CoreDNS = nil, control.CoreDNS{}
	settings.ExtraArgs["kube-apiserver"]["feature-gates"] = "AllAlpha=false"
	saveSettings(t, dir, settings)
	p := startPlane(t, dir)
	ctx := t.Context()

	good := p.createToken(t, control.NewToken{TTL: time.Hour, Description: "harbour"})
	if listed, err := p.control("/tokens"); err != nil || !strings.Contains(listed, good.ID) || !strings.Contains(listed, "harbour") || strings.Contains(listed, good.Secret) {
		t.Errorf("list of tokens: %s, %v", listed, err)
	}

	joiner := func(name, id string, t token.Token) *agent.Joiner {
		return &agent.Joiner{
			Dir: filepath.Join(dir, "agents", name+id), Endpoint: fmt.Sprintf("%s:%d", settings.NodeIPs[0], settings.APIPort),
			Node: name, MachineID: id, Token: t, Report: func([]string) {},
		}
	}
	fails := func(what string, j *agent.Joiner, want string) {
		t.Helper()
		if _, err := j.Once(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	prepare := func(j *agent.Joiner) *agent.Joiner {
		t.Helper()
		if err := j.Prepare(); err != nil {
			t.Fatal(err)
		}
		return j
	}

	t.Run("refused", func(t *testing.T) {
		other := good
		other.Hash = strings.Repeat("0", 64)
		fails("another cluster's token", prepare(joiner("edge-2", "a", other)), "of another cluster")
		unknown := good
		unknown.Secret = "0123456789abcdef"
		fails("an unknown token", prepare(joiner("edge-2", "b", unknown)), "make a new one with coraclectl token create")
		fails("another cluster's token, before it has joined this one", joiner("edge-2", "b", other), "of another cluster")
		deleted := p.createToken(t, control.NewToken{})
		p.deleteToken(t, deleted.ID)
		expired := p.createToken(t, control.NewToken{TTL: time.Second})
		time.Sleep(1500 * time.Millisecond)
		fails("an expired token", prepare(joiner("edge-2", "c", expired)), "has expired")
		p.eventually("a deleted token to be of no use", 10*time.Second, func() error {
			if _, err := prepare(joiner("edge-2", "d", deleted)).Once(ctx); err == nil || !strings.Contains(err.Error(), "do not know") {
				return fmt.Errorf("%v", err)
			}
			return nil
		})
		away := prepare(joiner("edge-2", "e", good))
		away.Endpoint = fmt.Sprintf("127.0.0.1:%d", freePort(t))
		fails("no server", away, "does not answer at 127.0.0.1")
		fails("the server's own name", prepare(joiner("edge-1", "f", good)), "that of a server")
		fails("a name of the API", prepare(joiner("localhost", "g", good)), "that of a server")
	})

	j := prepare(joiner("edge-2", "machine-2", good))
	var cluster control.Cluster
	p.eventually("edge-2 to join", 30*time.Second, func() (err error) { // the add-ons may not be applied yet
		cluster, err = j.Once(ctx)
		return err
	})
	if cluster != settings.Cluster() {
		t.Errorf("the agent is told %+v, want %+v", cluster, settings.Cluster())
	}
	client, err := kubernetes.NewForConfig(j.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("rights", func(t *testing.T) { testRightsOfAgent(ctx, t, client) })

	node := addNode(ctx, t, p, "edge-2", "machine-2", "192.0.2.222")
	t.Run("serving", func(t *testing.T) { testServing(ctx, t, p, client) })
	t.Run("name taken", func(t *testing.T) {
		fails("while it is Ready", prepare(joiner("edge-2", "machine-3", good)), "in the cluster, and Ready")
		setReady(ctx, t, p, node.Name, corev1.ConditionUnknown)
		fails("while it is away", prepare(joiner("edge-2", "machine-3", good)), "that of another machine")
		if err := p.client.CoreV1().Nodes().Delete(ctx, "edge-2", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := prepare(joiner("edge-2", "machine-3", good)).Once(ctx); err != nil {
			t.Errorf("after its node is deleted: %v", err)
		}
	})
	t.Run("without the server", func(t *testing.T) {
		p.stop()
		if again, err := joiner("edge-2", "machine-2", good).Once(ctx); err != nil || again != cluster {
			t.Errorf("%+v, %v", again, err)
		}
		expired := good
		expired.Secret = "0123456789abcdef"
		if _, err := joiner("edge-2", "machine-2", expired).Once(ctx); err != nil {
			t.Errorf("with another token: %v", err)
		}
		expired.Hash = strings.Repeat("0", 64)
		if _, err := joiner("edge-2", "machine-2", expired).Once(ctx); err != nil {
			t.Errorf("with the token of another cluster: %v", err)
		}
		moved := joiner("edge-2", "machine-2", expired)
		moved.Node = "edge-4"
		fails("a new name, with the token of another cluster", moved, "than the one that this machine is in")
	})
}

func (p *plane) createToken(t *testing.T, n control.NewToken) token.Token {
	t.Helper()
	body, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.http.Post("http://kube/tokens", "application/json", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var made control.MadeToken
	if err := json.NewDecoder(response.Body).Decode(&made); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", response.Status, err)
	}
	if made.Endpoint == "" || made.Expires.IsZero() != (n.TTL == 0) {
		t.Errorf("made %+v", made)
	}
	parsed, err := token.Parse(made.Token)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func (p *plane) deleteToken(t *testing.T, id string) {
	t.Helper()
	for _, want := range []int{http.StatusNoContent, http.StatusNotFound} { // the second time it is gone
		request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://kube/tokens/"+id, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := p.http.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("deleting token %s: %s, want %d", id, response.Status, want)
		}
	}
}

// addNode makes the Node that a kubelet would register.
func addNode(ctx context.Context, t *testing.T, p *plane, name, machineID, ip string) *corev1.Node {
	t.Helper()
	node, err := p.client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	patch := fmt.Sprintf(`{"status":{"nodeInfo":{"machineID":%q},"addresses":[{"type":"InternalIP","address":%q},{"type":"Hostname","address":%q}]}}`, machineID, ip, name)
	if _, err := p.client.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	setReady(ctx, t, p, name, corev1.ConditionTrue)
	return node
}

func setReady(ctx context.Context, t *testing.T, p *plane, name string, ready corev1.ConditionStatus) {
	t.Helper()
	patch := fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":%q}]}}`, ready)
	if _, err := p.client.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
}

// testRightsOfAgent: what kube-proxy, flannel and the settings need, and no more.
func testRightsOfAgent(ctx context.Context, t *testing.T, client kubernetes.Interface) {
	t.Helper()
	for what, call := range map[string]func() error{
		"nodes": func() error { _, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{}); return err },
		"services": func() error {
			_, err := client.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
			return err
		},
		"endpoint slices": func() error {
			_, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
			return err
		},
		"own pods": func() error {
			_, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=edge-2"})
			return err
		},
		"readyz": func() error { return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() },
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := client.CoreV1().Secrets("kube-system").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("secrets: %v", err)
	}
}

// testServing: a node gets a certificate to serve with for its own name and addresses, and for no other.
func testServing(ctx context.Context, t *testing.T, p *plane, client kubernetes.Interface) {
	t.Helper()
	for name, tc := range map[string]struct {
		names []string
		ips   []string
		want  certificatesv1.RequestConditionType // empty: nobody has decided
	}{
		"its own":                {[]string{"edge-2"}, []string{"192.0.2.222"}, certificatesv1.CertificateApproved},
		"the server's name":      {[]string{"edge-2", "edge-1"}, []string{"192.0.2.222"}, certificatesv1.CertificateDenied},
		"the API's name":         {[]string{"kubernetes.default"}, nil, certificatesv1.CertificateDenied},
		"the API's address":      {[]string{"edge-2"}, []string{"10.43.0.1"}, certificatesv1.CertificateDenied},
		"the loopback address":   {[]string{"edge-2"}, []string{"127.0.0.1"}, certificatesv1.CertificateDenied},
		"somebody else's":        {[]string{"edge-2"}, []string{"198.51.100.1"}, ""},
		"an address and its own": {[]string{"edge-2"}, []string{"192.0.2.222", "198.51.100.1"}, ""},
	} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		var ips []net.IP
		for _, ip := range tc.ips {
			ips = append(ips, net.ParseIP(ip))
		}
		subject := &pkix.Name{CommonName: "system:node:edge-2", Organization: []string{"system:nodes"}}
		request, err := cert.MakeCSR(key, subject, tc.names, ips)
		if err != nil {
			t.Fatal(err)
		}
		usages := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth}
		id, uid, err := csr.RequestCertificateWithContext(ctx, client, request, "", certificatesv1.KubeletServingSignerName, nil, usages, key)
		if err != nil {
			t.Fatal(err)
		}
		switch tc.want {
		case certificatesv1.CertificateApproved:
			issueCtx, cancel := context.WithTimeout(ctx, 20*time.Second)
			issued, err := csr.WaitForCertificate(issueCtx, client, id, uid)
			cancel()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			certs, err := cert.ParseCertsPEM(issued)
			if err != nil || certs[0].VerifyHostname("192.0.2.222") != nil || certs[0].ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
				t.Errorf("%s: %v, %+v", name, err, certs)
			}
		case certificatesv1.CertificateDenied:
			p.eventually(name+" to be denied", 20*time.Second, func() error {
				asked, err := client.CertificatesV1().CertificateSigningRequests().Get(ctx, id, metav1.GetOptions{})
				if err == nil && (len(asked.Status.Conditions) == 0 || asked.Status.Conditions[0].Type != tc.want) {
					err = fmt.Errorf("conditions %v", asked.Status.Conditions)
				}
				return err
			})
		default:
			time.Sleep(time.Second)
			asked, err := client.CertificatesV1().CertificateSigningRequests().Get(ctx, id, metav1.GetOptions{})
			if err != nil || len(asked.Status.Conditions) > 0 || len(asked.Status.Certificate) > 0 {
				t.Errorf("%s: %v, %v", name, asked.Status.Conditions, err)
			}
		}
	}
}
