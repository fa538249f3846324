// Package keys has the Ed25519 keys by which machines and their operators know each other.
package keys

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// prefix of a public key's text form.
const prefix = "ed25519:"

// PublicKey is an Ed25519 public key. Its text form is "ed25519:" and the standard base64 of the 32 bytes.
type PublicKey [ed25519.PublicKeySize]byte

// IsZero is whether no key was given.
func (k PublicKey) IsZero() bool { return k == PublicKey{} }

func (k PublicKey) String() string { return prefix + base64.StdEncoding.EncodeToString(k[:]) }

// Fingerprint is "SHA256:" and the unpadded base64 of the SHA-256 of the raw key.
func (k PublicKey) Fingerprint() string {
	sum := sha256.Sum256(k[:])
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// MarshalText writes the text form.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the text form.
func (k *PublicKey) UnmarshalText(b []byte) error {
	p, err := Parse(string(b))
	if err != nil {
		return err
	}
	*k = p
	return nil
}

// Parse reads a public key's text form.
func Parse(s string) (PublicKey, error) {
	var k PublicKey
	enc, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return k, fmt.Errorf("a public key starts with %q", prefix)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(enc)
	if err != nil {
		return k, fmt.Errorf("public key: after %q comes base64: %v", prefix, err)
	}
	if len(raw) != len(k) {
		return k, fmt.Errorf("public key: %d bytes, an Ed25519 key has %d", len(raw), len(k))
	}
	return PublicKey(raw), nil
}
