package join

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/token"
)

func TestTokens(t *testing.T) {
	// A bootstrap token that somebody has made for something else is not shown.
	client := fake.NewClientset(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "bootstrap-token-other0"}, Type: "bootstrap.kubernetes.io/token",
		Data: map[string][]byte{"token-id": []byte("other0")},
	})
	ctx, now, hash := t.Context(), time.Date(2026, 11, 27, 8, 0, 0, 0, time.UTC), strings.Repeat("ab", 32)
	made, err := Create(ctx, client, hash, control.NewToken{TTL: time.Hour, Description: "harbour"}, now)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := token.Parse(made.Token)
	if err != nil || parsed.Hash != hash || parsed.ID != made.ID || !made.Expires.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v, %v", made, err)
	}
	secret, err := client.CoreV1().Secrets("kube-system").Get(ctx, "bootstrap-token-"+made.ID, metav1.GetOptions{})
	if err != nil || string(secret.Data["token-secret"]) != parsed.Secret || string(secret.Data["usage-bootstrap-authentication"]) != "true" ||
		string(secret.Data["auth-extra-groups"]) != control.JoinGroup {
		t.Errorf("%+v, %v", secret, err)
	}
	forever, err := Create(ctx, client, hash, control.NewToken{}, now)
	if err != nil || !forever.Expires.IsZero() {
		t.Errorf("%+v, %v", forever, err)
	}
	list, err := List(ctx, client)
	if err != nil || len(list) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	if err := Delete(ctx, client, made.ID); err != nil {
		t.Error(err)
	}
	if list, err := List(ctx, client); err != nil || len(list) != 1 || list[0].ID != forever.ID {
		t.Errorf("%+v, %v", list, err)
	}
	for _, id := range []string{made.ID, "", "../../x", "coracle1"} {
		if err := Delete(ctx, client, id); err == nil {
			t.Errorf("deleted %q", id)
		}
	}
	for _, n := range []control.NewToken{{TTL: -1}, {Description: strings.Repeat("x", 300)}} {
		if _, err := Create(ctx, client, hash, n, now); err == nil {
			t.Errorf("made %+v", n)
		}
	}
}
