package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/coracle-os/coracle/kube/token"
)

// contactTimeout is how long a server may take to answer the first contact.
const contactTimeout = 20 * time.Second

// authorityError is that a server has another authority than the token's.
type authorityError struct{ endpoint, got, want string }

func (e *authorityError) Error() string {
	if e.got == "" {
		return fmt.Sprintf("what answers at %s shows no authority: it is no Kubernetes API of Coracle's", e.endpoint)
	}
	return fmt.Sprintf("the token is of another cluster: at %s it has the authority %s…, and the token is for %s…; take a token of that cluster, or correct cluster.endpoint",
		e.endpoint, token.Short(e.got), token.Short(e.want))
}

// discover asks a server, host:port, for the cluster's authority, and returns it if its hash is the token's. The server shows that
// the authority vouches for it; until then nothing is sent to it.
func discover(ctx context.Context, endpoint, hash string) (*x509.Certificate, error) {
	host, _, err := net.SplitHostPort(endpoint)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, contactTimeout)
	defer cancel()
	var authority *x509.Certificate
	dialer := tls.Dialer{Config: &tls.Config{
		ServerName:         host,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection: func(s tls.ConnectionState) (err error) {
			authority, err = verify(s.PeerCertificates, endpoint, host, hash, time.Now())
			return err
		},
	}}
	connection, err := dialer.DialContext(ctx, "tcp", endpoint)
	if err != nil {
		return nil, explain(endpoint, err)
	}
	_ = connection.Close()
	return authority, nil
}

// verify finds the authority of the hash among the certificates that a server shows, and looks whether it vouches for the server.
func verify(shown []*x509.Certificate, endpoint, host, hash string, now time.Time) (*x509.Certificate, error) {
	var authority *x509.Certificate
	other := ""
	for _, c := range shown {
		switch h := token.Hash(c); {
		case h == hash && c.IsCA:
			authority = c
		case c.IsCA:
			other = h
		}
	}
	if authority == nil {
		return nil, &authorityError{endpoint, other, hash}
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	_, err := shown[0].Verify(x509.VerifyOptions{
		Roots: roots, DNSName: host, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return authority, err
}

// explain puts into words why there was no contact.
func explain(endpoint string, err error) error {
	var other *authorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &other):
		return other
	case errors.As(err, &name):
		return fmt.Errorf("the Kubernetes API at %s is not called so in its certificate; set cluster.endpoint on the server too: %w", endpoint, name)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("the certificate of the Kubernetes API at %s has ended, as the clock of this machine says, which is at %s; is the clock right?",
			endpoint, time.Now().UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("the Kubernetes API of the servers does not answer at %s: %w", endpoint, err)
}
