package fleet

import (
	"context"
	"crypto/ed25519"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/coracle-os/coracle/machined/keys"
)

// The key by which machines know the controller. It is made once and kept when the add-on is turned off, so that machines
// need it told only once.
const (
	keyNamespace = metav1.NamespaceSystem
	keySecret    = "coracle-fleet-key" // private, PKCS #8 in PEM
	keyField     = "key.pem"
	keyConfigMap = "coracle-fleet" // public, in text form, and as a machine config has it
)

// loadKey reads the controller's key, or makes it. One that is there but cannot be read is an error: machines know it.
func loadKey(ctx context.Context, client kubernetes.Interface) (ed25519.PrivateKey, error) {
	secrets := client.CoreV1().Secrets(keyNamespace)
	secret, err := secrets.Get(ctx, keySecret, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		made, wrong := newSecret()
		if wrong != nil {
			return nil, wrong
		}
		secret, err = secrets.Create(ctx, made, metav1.CreateOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("key of the fleet controller: %w", err)
	}
	key, err := keys.Decode(secret.Data[keyField])
	if err != nil {
		return nil, fmt.Errorf("key of the fleet controller: %s of Secret %s in %s: %w; restore it, or delete it for a new key, which machines have to be told", keyField, keySecret, keyNamespace, err)
	}
	return key, showKey(ctx, client, keys.Public(key))
}

func newSecret() (*corev1.Secret, error) {
	key, err := keys.Generate()
	if err != nil {
		return nil, err
	}
	text, err := keys.Encode(key)
	if err != nil {
		return nil, err
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: keyNamespace, Name: keySecret},
		Data:       map[string][]byte{keyField: text},
	}, nil
}

// showKey makes the public key known in a ConfigMap.
func showKey(ctx context.Context, client kubernetes.Interface, key keys.PublicKey) error {
	data := map[string]string{
		"key":   key.String(),
		"entry": "- {name: fleet, role: operator, key: \"" + key.String() + "\"}\n", // of machine.api.keys
	}
	maps := client.CoreV1().ConfigMaps(keyNamespace)
	found, err := maps.Get(ctx, keyConfigMap, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: keyNamespace, Name: keyConfigMap}, Data: data}, metav1.CreateOptions{})
	case err == nil && found.Data["key"] != data["key"]:
		found = found.DeepCopy()
		found.Data = data
		_, err = maps.Update(ctx, found, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("ConfigMap %s in %s: %w", keyConfigMap, keyNamespace, err)
	}
	return nil
}
