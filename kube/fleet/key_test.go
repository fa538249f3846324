package fleet

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-os/coracle/machined/config"
	"github.com/coracle-os/coracle/machined/config/types"
	"github.com/coracle-os/coracle/machined/keys"
)

func TestLoadKey(t *testing.T) {
	client := fake.NewClientset()
	first, err := loadKey(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	again, err := loadKey(t.Context(), client)
	if err != nil || !again.Equal(first) {
		t.Errorf("another key at the next start (%v)", err)
	}
	maps := client.CoreV1().ConfigMaps(keyNamespace)
	shown, err := maps.Get(t.Context(), keyConfigMap, metav1.GetOptions{})
	if err != nil || shown.Data["key"] != keys.Public(first).String() {
		t.Errorf("shown: %v, %v", shown, err)
	}
	for _, text := range shown.Data {
		if strings.Contains(text, "PRIVATE") {
			t.Error("the private key is shown")
		}
	}
	// What is shown for a machine config is one.
	c, err := config.Parse("m", []byte("apiVersion: coracle/v1alpha1\nkind: MachineConfig\n"+"machine:\n  role: server\n  api:\n    keys:\n    "+shown.Data["entry"]))
	if err != nil || len(c.Machine.API.Keys) != 1 || c.Machine.API.Keys[0].Role != types.Operator || c.Machine.API.Keys[0].Key != keys.Public(first) {
		t.Errorf("%+v, %v in\n%s", c.Machine.API, err, shown.Data["entry"])
	}

	shown.Data = map[string]string{"key": "ed25519:another"}
	if _, err := maps.Update(t.Context(), shown, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := loadKey(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if shown, _ = maps.Get(t.Context(), keyConfigMap, metav1.GetOptions{}); shown.Data["key"] != keys.Public(first).String() {
		t.Errorf("not put right: %v", shown.Data)
	}
}

// A key that cannot be read is not replaced: machines know it.
func TestLoadDamagedKey(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "no PEM": "hello", "another type": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"no key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(&corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Namespace: keyNamespace, Name: keySecret}, Data: map[string][]byte{keyField: []byte(text)},
			})
			if _, err := loadKey(t.Context(), client); err == nil || !strings.Contains(err.Error(), "Secret coracle-fleet-key in kube-system") {
				t.Errorf("got %v", err)
			}
			secret, err := client.CoreV1().Secrets(keyNamespace).Get(t.Context(), keySecret, metav1.GetOptions{})
			if err != nil || string(secret.Data[keyField]) != text {
				t.Errorf("it was replaced: %v, %v", secret, err)
			}
		})
	}
}
