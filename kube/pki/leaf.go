package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// leaf describes a certificate that is wanted.
type leaf struct {
	name          string // of its files
	authority     *authority
	commonName    string // the user, for a client
	organizations []string
	dnsNames      []string
	ips           []net.IP
	usage         x509.ExtKeyUsage
	lifetime      time.Duration
	chain         bool // the authority's certificate is presented too
}

// ensure keeps the files of a leaf good: both readable, of one pair, with the wanted content, and with more than a third of
// their life left. A renewal keeps the key, so that whoever reloads the two files never sees halves of different pairs.
func (l leaf) ensure(dir string, now time.Time) (issued bool, err error) {
	certPath, keyPath := filepath.Join(dir, l.name+".crt"), filepath.Join(dir, l.name+".key")
	key, err := readKey(keyPath)
	if err != nil {
		if key, err = newKey(keyPath); err != nil {
			return false, err
		}
	}
	if cert, _, err := readCert(certPath); err == nil && l.matches(cert, key.Public(), now) {
		return false, nil
	}
	data, err := l.sign(key.Public(), now)
	if err != nil {
		return false, err
	}
	return true, atomicfile.Write(certPath, data, 0o644)
}

func (l leaf) sign(public crypto.PublicKey, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("generate serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: l.commonName, Organization: l.organizations},
		NotBefore:             epoch,
		NotAfter:              now.Add(l.lifetime).UTC(),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{l.usage},
		BasicConstraintsValid: true,
		DNSNames:              l.dnsNames,
		IPAddresses:           l.ips,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, l.authority.cert, public, l.authority.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate %s: %w", l.name, err)
	}
	data := encodeCert(der)
	if l.chain {
		data = append(data, l.authority.certPEM...)
	}
	return data, nil
}

func (l leaf) matches(cert *x509.Certificate, public crypto.PublicKey, now time.Time) bool {
	return cert.NotAfter.Sub(now) > l.lifetime/3 &&
		samePublicKey(cert.PublicKey, public) &&
		cert.CheckSignatureFrom(l.authority.cert) == nil &&
		cert.Subject.CommonName == l.commonName &&
		slices.Equal(cert.Subject.Organization, l.organizations) &&
		slices.Equal(cert.DNSNames, l.dnsNames) &&
		slices.EqualFunc(cert.IPAddresses, l.ips, net.IP.Equal) &&
		slices.Equal(cert.ExtKeyUsage, []x509.ExtKeyUsage{l.usage})
}
