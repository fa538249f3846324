package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/coracle-os/coracle/kube/token"
)

// identity is a certificate with its key.
type identity struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate; by nil: it vouches for itself, and for others.
func issue(t *testing.T, name string, by *identity, until time.Time, change func(*x509.Certificate)) *identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0), NotAfter: until, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	own := &identity{template, key}
	if by == nil {
		template.IsCA, template.KeyUsage, template.ExtKeyUsage, by = true, x509.KeyUsageCertSign, nil, own
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	if own.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return own
}

// serve answers TLS on loopback and shows certificates.
func serve(t *testing.T, leaf *identity, chain ...*x509.Certificate) string {
	t.Helper()
	pair := tls.Certificate{Certificate: [][]byte{leaf.cert.Raw}, PrivateKey: leaf.key}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { c.(*tls.Conn).Handshake(); c.Close() }() //nolint:errcheck // the client says what went wrong
		}
	}()
	return listener.Addr().String()
}

func TestDiscover(t *testing.T) {
	later := time.Now().AddDate(1, 0, 0)
	ours, other := issue(t, "coracle-cluster-ca", nil, later, nil), issue(t, "coracle-cluster-ca", nil, later, nil)
	hash := token.Hash(ours.cert)
	leaf := issue(t, "kube-apiserver", ours, later, nil)
	for name, tc := range map[string]struct {
		endpoint string
		want     string // in the error; empty: it is the one
	}{
		"the cluster":                {serve(t, leaf, ours.cert), ""},
		"the same, in another order": {serve(t, leaf, other.cert, ours.cert), ""},
		"another cluster":            {serve(t, issue(t, "kube-apiserver", other, later, nil), other.cert), "the token is of another cluster: at "},
		// Anybody may show the authority of the cluster; it does not vouch for everybody.
		"somebody who shows our authority": {serve(t, issue(t, "kube-apiserver", other, later, nil), ours.cert), "unknown authority"},
		"no authority":                     {serve(t, leaf), "shows no authority"},
		"a client's certificate":           {serve(t, issue(t, "system:node:x", ours, later, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), ours.cert), "incompatible key usage"},
		"another name":                     {serve(t, issue(t, "kube-apiserver", ours, later, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"x"} }), ours.cert), "set cluster.endpoint on the server too"},
		"the clock is wrong":               {serve(t, issue(t, "kube-apiserver", ours, time.Now().AddDate(0, 0, -1), nil), ours.cert), "is the clock right?"},
		"nobody":                           {"127.0.0.1:1", "does not answer at 127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := discover(t.Context(), tc.endpoint, hash)
			switch {
			case tc.want == "" && (err != nil || !got.Equal(ours.cert)):
				t.Errorf("%v, %v", got, err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
	_, err := discover(t.Context(), serve(t, issue(t, "kube-apiserver", other, later, nil), other.cert), hash)
	if found := new(authorityError); !errors.As(err, &found) || !strings.Contains(err.Error(), token.Short(hash)) || !strings.Contains(err.Error(), token.Short(token.Hash(other.cert))) {
		t.Errorf("%v does not say both hashes", err)
	}
}

// TestVerifyWithTheClockAt1970: the first contact needs no clock.
func TestVerifyWithTheClockAt1970(t *testing.T) {
	ours := issue(t, "coracle-cluster-ca", nil, time.Now().AddDate(1, 0, 0), nil)
	leaf := issue(t, "kube-apiserver", ours, time.Now().AddDate(0, 3, 0), nil)
	if _, err := verify([]*x509.Certificate{leaf.cert, ours.cert}, "x:1", "127.0.0.1", token.Hash(ours.cert), time.Unix(60, 0)); err != nil {
		t.Error(err)
	}
}
