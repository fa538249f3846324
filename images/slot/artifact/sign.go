package artifact

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/machined/keys"
)

// Why an artifact is not trusted.
var (
	ErrUnsigned     = errors.New("the artifact is not signed")
	ErrStranger     = errors.New("the artifact is signed by nobody who is trusted")
	ErrBadSignature = errors.New("the artifact's manifest is not what was signed")
)

// TrustPath is the file in a machine's root with the keys whose signatures it trusts.
const TrustPath = "/usr/share/coracle/trusted-keys"

// domain keeps a signature of something else from being one of a manifest.
const domain = "coracle slot v1\n"

// Sign returns a line for the member [SignatureName]: the public key and the signature of the manifest, in base64.
func Sign(manifest []byte, key ed25519.PrivateKey) []byte {
	signature := ed25519.Sign(key, append([]byte(domain), manifest...))
	return fmt.Appendf(nil, "%s %s\n", keys.Public(key), base64.StdEncoding.EncodeToString(signature))
}

// Verify returns the trusted key that has signed the manifest. Every line of signatures is one of [Sign]. A line of a
// key that is not trusted does not matter; one of a trusted key has to be right.
func Verify(manifest, signatures []byte, trusted []keys.PublicKey) (keys.PublicKey, error) {
	var signer keys.PublicKey
	var strangers []string
	for line := range bytes.Lines(signatures) {
		words := strings.Fields(string(line))
		if len(words) == 0 {
			continue
		}
		if len(words) != 2 {
			return keys.PublicKey{}, fmt.Errorf("%w: a line of %s has %d words, not a key and a signature", ErrBadSignature, SignatureName, len(words))
		}
		if kind, _, ok := strings.Cut(words[0], ":"); ok && kind != "ed25519" { // later versions may sign in two ways
			strangers = append(strangers, "a kind of key that this version does not know")
			continue
		}
		key, err := keys.Parse(words[0])
		if err != nil {
			return keys.PublicKey{}, fmt.Errorf("%w: %s: %v", ErrBadSignature, SignatureName, err)
		}
		if !slices.Contains(trusted, key) {
			strangers = append(strangers, key.Fingerprint())
			continue
		}
		signature, err := base64.StdEncoding.Strict().DecodeString(words[1])
		if err != nil || !ed25519.Verify(key[:], append([]byte(domain), manifest...), signature) {
			return keys.PublicKey{}, fmt.Errorf("%w by %s: it was changed, or damaged on its way; get the artifact again", ErrBadSignature, key.Fingerprint())
		}
		signer = key
	}
	switch {
	case !signer.IsZero():
		return signer, nil
	case strangers == nil:
		return signer, fmt.Errorf("%w: sign it with `imager sign`, by a key that the machine trusts", ErrUnsigned)
	}
	const most = 4 // of what a person reads
	if more := len(strangers) - most; more > 0 {
		strangers = append(strangers[:most], fmt.Sprintf("%d more", more))
	}
	return signer, fmt.Errorf("%w, but by %s: take an artifact of whom the machine trusts, or add the key to machine.upgrade.keys", ErrStranger, strings.Join(strangers, ", "))
}

// ReadKeys reads a file of trusted keys: one a line in its text form, perhaps followed by its name; # begins a comment.
func ReadKeys(path string) ([]keys.PublicKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read trusted keys: %w", err)
	}
	return parseKeys(path, b)
}

// parseKeys reads the content of the file name, as [ReadKeys] does.
func parseKeys(name string, b []byte) ([]keys.PublicKey, error) {
	var trusted []keys.PublicKey
	number := 0
	for line := range strings.Lines(string(b)) {
		number++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		key, err := keys.Parse(words[0])
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
		if key.IsZero() {
			return nil, fmt.Errorf("%s:%d: the key is all zeros, which is nobody's", name, number)
		}
		trusted = append(trusted, key)
	}
	return trusted, nil
}
