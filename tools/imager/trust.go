package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/coracle-os/coracle/images/slot/artifact"
	"github.com/coracle-os/coracle/machined/keys"
	"github.com/coracle-os/coracle/tools/imager/definition"
)

// developmentKeyName is the file, in the cache, of the key that signs what is built from this clone. Images trust it, unless
// they are for release. In the cache it outlives `make clean`, and both builds of `imager repro` have it.
const developmentKeyName = "development.key"

func (b *builder) developmentKeyFile() string { return filepath.Join(b.cache, developmentKeyName) }

func (b *builder) developmentKey() (ed25519.PrivateKey, error) {
	return keys.LoadOrCreate(b.developmentKeyFile())
}

// signingKey signs artifacts; nil: they are not signed.
func (b *builder) signingKey() (ed25519.PrivateKey, error) {
	switch {
	case b.options.unsigned:
		return nil, nil
	case b.options.key == "" && b.options.release:
		return nil, errors.New("a release is signed by a key of its own: give --key FILE, or --unsigned and sign it later")
	case b.options.key == "":
		return b.developmentKey()
	}
	key, err := keys.Load(b.options.key)
	if err != nil || !b.options.release {
		return key, err
	}
	// The key of this clone may have been copied elsewhere.
	if development, err := keys.Load(b.developmentKeyFile()); err == nil && development.Equal(key) {
		return nil, fmt.Errorf("%s is the development key, which does not sign releases: make another with `coraclectl keygen`", b.options.key)
	}
	return key, nil
}

// trusted are those whose artifacts the image takes.
func (b *builder) trusted() ([]definition.Trusted, error) {
	if b.options.release {
		return b.definition.Trust, nil
	}
	key, err := b.developmentKey()
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(b.definition.Trust), definition.Trusted{Name: "development", Key: keys.Public(key)}), nil
}

// layTrust writes whose artifacts a machine takes.
func (b *builder) layTrust(context.Context) error {
	trusted, err := b.trusted()
	if err != nil {
		return err
	}
	if len(trusted) == 0 {
		fmt.Fprintf(os.Stderr, "\nwarning: the image trusts nobody, so that machines take upgrades only by keys in their config: see trust: in %s\n", b.file)
	}
	var text bytes.Buffer
	text.WriteString("# Whose upgrade artifacts are installed: public keys, and their names.\n")
	for _, k := range trusted {
		fmt.Fprintf(&text, "%s %s\n", k.Key, k.Name)
	}
	return b.root.Write(artifact.TrustPath, text.Bytes(), 0o644)
}

// signedBy says in words who signed an artifact. An image that does not trust its own signer takes no next version of them.
func (b *builder) signedBy(key ed25519.PrivateKey) (string, error) {
	if key == nil {
		return "not signed", nil
	}
	trusted, err := b.trusted()
	if err != nil {
		return "", err
	}
	text := "signed by " + keys.Public(key).Fingerprint()
	if !slices.ContainsFunc(trusted, func(t definition.Trusted) bool { return t.Key == keys.Public(key) }) {
		text += fmt.Sprintf(", whom the version in it does not trust: for that, add %s to trust: in %s", keys.Public(key), b.file)
	}
	return text, nil
}
