package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/certificate"
	"k8s.io/client-go/util/certificate/csr"
	"k8s.io/client-go/util/keyutil"

	"github.com/coracle-os/coracle/kube/token"
	"github.com/coracle-os/coracle/machined/atomicfile"
)

// userNode and groupNodes are the user and group of a node.
const (
	userNode   = "system:node:" // + node name
	groupNodes = "system:nodes"
)

// issueTimeout is how long a request may wait for its certificate. After it another is made.
const issueTimeout = 2 * time.Minute

// config is a client of the servers' API. What an agent talks to never goes through a proxy.
func config(endpoint, authority string) *rest.Config {
	return &rest.Config{
		Host: "https://" + endpoint, UserAgent: "coracle", Timeout: 30 * time.Second,
		TLSClientConfig: rest.TLSClientConfig{CAFile: authority},
		Proxy:           func(*http.Request) (*url.URL, error) { return nil, nil },
	}
}

// requestClient gets the certificate with which this machine is a node, as upstream's kubelets do (TLS bootstrapping). A join token is
// what it has until then.
func requestClient(ctx context.Context, f files, endpoint, node string, t token.Token) error {
	c := config(endpoint, f.authority())
	c.BearerToken = t.Bootstrap()
	client, err := kubernetes.NewForConfig(c)
	if err != nil {
		return fmt.Errorf("client of the apiserver: %w", err)
	}
	if _, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{}); err != nil {
		return explainCall(endpoint, t, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("generate the node's key: %w", err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return fmt.Errorf("encode the node's key: %w", err)
	}
	request, err := cert.MakeCSR(key, &pkix.Name{Organization: []string{groupNodes}, CommonName: userNode + node}, nil, nil)
	if err != nil {
		return fmt.Errorf("make a request for a certificate: %w", err)
	}
	usages := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth}
	ctx, cancel := context.WithTimeoutCause(ctx, issueTimeout, fmt.Errorf("no answer within %s", issueTimeout))
	defer cancel()
	name, uid, err := csr.RequestCertificateWithContext(ctx, client, request, "", certificatesv1.KubeAPIServerClientKubeletSignerName, nil, usages, key)
	if err != nil {
		return explainCall(endpoint, t, err)
	}
	issued, err := csr.WaitForCertificate(ctx, client, name, uid)
	if err != nil {
		return explainRequest(ctx, client, name, err)
	}
	store, err := certificate.NewFileStore(pairName, f.certificates(), f.certificates(), "", "")
	if err != nil {
		return fmt.Errorf("store the node's certificate: %w", err)
	}
	if _, err := store.Update(issued, keyPEM); err != nil {
		return fmt.Errorf("store the node's certificate: %w", err)
	}
	return atomicfile.SyncDir(f.certificates())
}

// explainCall puts into words why the API does not do what is asked with a token.
func explainCall(endpoint string, t token.Token, err error) error {
	if apierrors.IsUnauthorized(err) {
		return fmt.Errorf("the servers do not know the join token %s, or it has expired; make a new one with coraclectl token create, on a server, and set it as cluster.token", t.ID)
	}
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("the join token %s does not let machines join; make another one with coraclectl token create: %w", t.ID, err)
	}
	return explain(endpoint, err)
}

// explainRequest says why a request came to nothing: the server writes down why it denies one.
func explainRequest(ctx context.Context, client kubernetes.Interface, name string, err error) error {
	asked, getErr := client.CertificatesV1().CertificateSigningRequests().Get(context.WithoutCancel(ctx), name, metav1.GetOptions{})
	if getErr == nil {
		for _, condition := range asked.Status.Conditions {
			if condition.Type == certificatesv1.CertificateDenied || condition.Type == certificatesv1.CertificateFailed {
				return errors.New("the servers do not let this machine join: " + strings.TrimSpace(condition.Message))
			}
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("the servers have not issued a certificate for this machine (request %s); do their controllers run? %w", name, err)
}
