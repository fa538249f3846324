package pki

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"sigs.k8s.io/yaml"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// secretboxKeySize is that of XSalsa20-Poly1305. Secretbox is chosen over AES-GCM because its random nonce is long enough
// that the key need not be replaced after a number of writes, and because it is fast without AES instructions.
const secretboxKeySize = 32

// ensureEncryption keeps the apiserver's encryption configuration: Secrets are written encrypted with a key that never
// leaves this machine; "identity" lets it read what was stored before encryption was on.
func ensureEncryption(path string, fresh bool) error {
	err := checkEncryption(path)
	if err == nil {
		return nil
	}
	if !fresh || !replaceable(err) {
		return &DamagedError{path, err, "it has the key of all Secrets in the datastore: " + Remedy}
	}
	key := make([]byte, secretboxKeySize)
	if _, err := rand.Read(key); err != nil {
		return fmt.Errorf("generate the encryption key: %w", err)
	}
	data, err := yaml.Marshal(apiserver.EncryptionConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: apiserver.SchemeGroupVersion.String(), Kind: "EncryptionConfiguration"},
		Resources: []apiserver.ResourceConfiguration{{
			Resources: []string{"secrets"},
			Providers: []apiserver.ProviderConfiguration{
				{Secretbox: &apiserver.SecretboxConfiguration{Keys: []apiserver.Key{{Name: "machine", Secret: base64.StdEncoding.EncodeToString(key)}}}},
				{Identity: &apiserver.IdentityConfiguration{}},
			},
		}},
	})
	if err != nil {
		return fmt.Errorf("encode the encryption configuration: %w", err)
	}
	return atomicfile.Write(path, data, 0o600)
}

// checkEncryption reports a file that does not hold a usable key, such as one torn by a failing disk.
func checkEncryption(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var config apiserver.EncryptionConfiguration
	if err := yaml.UnmarshalStrict(data, &config); err != nil {
		return err
	}
	for _, resource := range config.Resources {
		for _, provider := range resource.Providers {
			if provider.Secretbox != nil && len(provider.Secretbox.Keys) > 0 {
				return nil
			}
		}
	}
	return errors.New("no encryption key in it")
}
