package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// pemType of a PKCS #8 private key (RFC 5958).
const pemType = "PRIVATE KEY"

// Public is the public half of private.
func Public(private ed25519.PrivateKey) PublicKey {
	return PublicKey(private.Public().(ed25519.PublicKey))
}

// Generate makes a new private key.
func Generate() (ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate an Ed25519 key: %w", err)
	}
	return private, nil
}

// LoadOrCreate reads the private key at path, or makes one and stores it there. A key that is there but cannot be
// read is an error: to replace it silently would change the machine's identity.
func LoadOrCreate(path string) (ed25519.PrivateKey, error) {
	private, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return private, err
	}
	if private, err = Generate(); err != nil {
		return nil, err
	}
	return private, Save(path, private)
}

// Load reads the private key at path.
func Load(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	private, err := Decode(text)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", path, err)
	}
	return private, nil
}

// Decode reads a private key that [Encode] wrote.
func Decode(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != pemType {
		return nil, errors.New("is not a PEM file with a " + pemType)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("is not an Ed25519 key")
	}
	return private, nil
}

// Encode writes a private key as PKCS #8 in PEM.
func Encode(private ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// Save stores a private key as PKCS #8 in PEM, readable by its owner only.
func Save(path string, private ed25519.PrivateKey) error {
	text, err := Encode(private)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("store key: %w", err)
	}
	return atomicfile.Write(path, text, 0o600)
}

// Certificate wraps a key in a self-signed certificate, which is only the envelope that TLS wants: both ends pin the
// key. It is valid from 1970 to 9999 (RFC 5280 section 4.1.2.5: no well-defined end), so a wrong clock locks nobody out.
func Certificate(private ed25519.PrivateKey, name string) (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{name},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate for %s: %w", name, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
}

// Peer is the key that the other end of a TLS connection proved to have. ok is false when it showed none.
func Peer(state tls.ConnectionState) (key PublicKey, ok bool) {
	if len(state.PeerCertificates) == 0 {
		return key, false
	}
	public, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok || len(public) != len(key) {
		return key, false
	}
	return PublicKey(public), true
}
