package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"os"
	"time"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// epoch is where the validity of every certificate begins: a clock that was never set does not lock anybody out.
var epoch = time.Unix(0, 0).UTC()

// authority signs leaf certificates.
type authority struct {
	cert    *x509.Certificate
	certPEM []byte
	key     crypto.Signer
}

// DamagedError says that a file which the cluster depends on cannot be read and must not be replaced by the machine.
type DamagedError struct {
	Path   string
	Reason error
	Remedy string
}

func (e *DamagedError) Error() string { return fmt.Sprintf("%s: %v; %s", e.Path, e.Reason, e.Remedy) }
func (e *DamagedError) Unwrap() error { return e.Reason }

// Remedy is what can be done when a file that the cluster depends on is damaged or lost.
const Remedy = "restore the file from a backup, or reset the machine to make a new cluster"

// openAuthority reads an authority. A missing or torn certificate is made again from its key: same name and key, so what it
// signed stays valid. A missing or torn key is fatal, unless the cluster is fresh and nothing depends on it yet.
func openAuthority(certPath, keyPath, commonName string, fresh bool, now time.Time) (*authority, error) {
	key, keyErr := readKey(keyPath)
	cert, certPEM, certErr := readCert(certPath)
	switch {
	case keyErr == nil && certErr == nil && samePublicKey(cert.PublicKey, key.Public()):
		return &authority{cert, certPEM, key}, nil
	case keyErr == nil && certErr == nil:
		return nil, &DamagedError{certPath, errors.New("the certificate does not belong to the key beside it"), Remedy}
	case keyErr == nil:
		if !errors.Is(certErr, fs.ErrNotExist) {
			slog.Warn("certificate of an authority was damaged, making it again from its key", "file", certPath, "error", certErr)
		}
	case fresh && replaceable(keyErr):
		if !errors.Is(keyErr, fs.ErrNotExist) {
			slog.Warn("key of an authority was damaged before the cluster had started, making a new one", "file", keyPath, "error", keyErr)
		}
		var err error
		if key, err = newKey(keyPath); err != nil {
			return nil, err
		}
	default:
		return nil, &DamagedError{keyPath, keyErr, Remedy}
	}

	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             epoch,
		NotAfter:              now.Add(AuthorityLifetime).UTC(),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", commonName, err)
	}
	if err := atomicfile.Write(certPath, encodeCert(der), 0o644); err != nil {
		return nil, err
	}
	cert, certPEM, err = readCert(certPath)
	return &authority{cert, certPEM, key}, err
}

// ensureKey makes a signing key if it may, and otherwise checks that it can be read.
func ensureKey(path, what string, fresh bool) error {
	_, err := readKey(path)
	if err == nil {
		return nil
	}
	if fresh && replaceable(err) {
		_, err = newKey(path)
		return err
	}
	return &DamagedError{path, err, "it signs " + what + ": " + Remedy}
}

// replaceable reports whether a file is not there, or was torn. One that the disk does not give may be whole.
func replaceable(err error) bool {
	var failed *fs.PathError
	return !errors.As(err, &failed) || errors.Is(err, fs.ErrNotExist)
}

func samePublicKey(a, b any) bool {
	public, ok := a.(*ecdsa.PublicKey)
	return ok && public.Equal(b)
}

func readCert(path string) (*x509.Certificate, []byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	cert, err := decodeCert(data)
	return cert, data, err
}
