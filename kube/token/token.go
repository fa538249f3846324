// Package token is the form of a join token: what an agent has to know of a cluster to become a part of it.
//
//	coracle1.SHA256.ID.SECRET
//
// SHA256 is the hash of the cluster's authority, 64 hex digits: by it the agent knows the server at its first contact. ID.SECRET is a
// bootstrap token of Kubernetes (kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens): by it the server knows that the
// agent may join.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// version of the form; a later form has another.
const version = "coracle1"

// Lengths of the parts, in characters.
const (
	hashLength   = 64
	idLength     = 6
	secretLength = 16
)

// Token is a join token.
type Token struct {
	Hash   string // of the cluster's authority, see [Hash]
	ID     string // names the token; it is not secret
	Secret string
}

// alphabet of ID and secret, as Kubernetes wants it.
const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

var (
	hexDigits = regexp.MustCompile(`^[0-9a-f]*$`)
	letters   = regexp.MustCompile(`^[a-z0-9]*$`)
)

// Parse reads a token. Errors say what is wrong with it, and show nothing of the secret.
func Parse(text string) (Token, error) {
	parts := strings.Split(text, ".")
	if parts[0] != version {
		if len(parts) == 2 && len(parts[0]) == idLength && len(parts[1]) == secretLength {
			return Token{}, errors.New("this is a bootstrap token of Kubernetes alone; a join token begins with " + version + ". and the hash of the cluster (coraclectl token create)")
		}
		return Token{}, errors.New("a join token begins with " + version + ". (coraclectl token create, on a server, makes one)")
	}
	if len(parts) != 4 {
		return Token{}, fmt.Errorf("a join token has 4 parts with dots between them, and this has %d: is it whole?", len(parts))
	}
	t := Token{Hash: parts[1], ID: parts[2], Secret: parts[3]}
	for _, p := range []struct {
		name, text, what string
		form             *regexp.Regexp
		length           int
	}{
		{"second", t.Hash, "hex digits, lower-case", hexDigits, hashLength},
		{"third", t.ID, "lower-case letters and digits", letters, idLength},
		{"fourth", t.Secret, "lower-case letters and digits", letters, secretLength},
	} {
		if len(p.text) != p.length {
			return Token{}, fmt.Errorf("the %s part of a join token has %d characters, and here it has %d: is it whole?", p.name, p.length, len(p.text))
		}
		if !p.form.MatchString(p.text) {
			return Token{}, fmt.Errorf("the %s part of a join token is of %s, and here it is not", p.name, p.what)
		}
	}
	return t, nil
}

// String is the token with its secret.
func (t Token) String() string { return strings.Join([]string{version, t.Hash, t.ID, t.Secret}, ".") }

// Bootstrap is the bootstrap token of Kubernetes.
func (t Token) Bootstrap() string { return t.ID + "." + t.Secret }

// Generate makes a new token for a cluster with an authority of this hash.
func Generate(hash string) (Token, error) {
	id, err := random(idLength)
	if err != nil {
		return Token{}, err
	}
	secret, err := random(secretLength)
	return Token{Hash: hash, ID: id, Secret: secret}, err
}

// random is text of the alphabet, each letter as likely as any other.
func random(length int) (string, error) {
	var b strings.Builder
	for range length {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			return "", fmt.Errorf("generate a join token: %w", err)
		}
		b.WriteByte(alphabet[n.Int64()])
	}
	return b.String(), nil
}

// IsID is whether text can be a token's ID.
func IsID(text string) bool { return len(text) == idLength && letters.MatchString(text) }

// Hash of an authority: SHA-256 of its public key (SubjectPublicKeyInfo, DER), in hex. It stays when the certificate is made
// anew from its key.
func Hash(authority *x509.Certificate) string {
	sum := sha256.Sum256(authority.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// Short is a hash as a person compares it.
func Short(hash string) string { return hash[:min(len(hash), 12)] }
