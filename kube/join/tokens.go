// Package join lets agents into a cluster. It is a server's part: tokens with which they may ask for a certificate, and the decision
// on what they ask for. The agent's part is package agent.
package join

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	bootstrap "k8s.io/cluster-bootstrap/token/api"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/token"
)

// LongestDescription of a token, in bytes.
const LongestDescription = 256

// Create makes a token for a cluster with an authority of this hash. It is a Secret of upstream's form, which upstream's controller
// deletes when it has expired.
func Create(ctx context.Context, client kubernetes.Interface, hash string, n control.NewToken, now time.Time) (control.MadeToken, error) {
	switch {
	case n.TTL < 0:
		return control.MadeToken{}, fmt.Errorf("a token cannot expire after %s", n.TTL)
	case len(n.Description) > LongestDescription:
		return control.MadeToken{}, fmt.Errorf("the description has %d bytes, more than %d", len(n.Description), LongestDescription)
	}
	made, err := token.Generate(hash)
	if err != nil {
		return control.MadeToken{}, err
	}
	data := map[string]string{
		bootstrap.BootstrapTokenIDKey:               made.ID,
		bootstrap.BootstrapTokenSecretKey:           made.Secret,
		bootstrap.BootstrapTokenUsageAuthentication: "true",
		bootstrap.BootstrapTokenExtraGroupsKey:      control.JoinGroup,
	}
	if n.Description != "" {
		data[bootstrap.BootstrapTokenDescriptionKey] = n.Description
	}
	if n.TTL > 0 {
		data[bootstrap.BootstrapTokenExpirationKey] = now.Add(n.TTL).UTC().Format(time.RFC3339)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: bootstrap.BootstrapTokenSecretPrefix + made.ID},
		Type:       bootstrap.SecretTypeBootstrapToken, Data: map[string][]byte{},
	}
	for key, value := range data {
		secret.Data[key] = []byte(value)
	}
	stored, err := client.CoreV1().Secrets(metav1.NamespaceSystem).Create(ctx, secret, metav1.CreateOptions{})
	if err != nil {
		return control.MadeToken{}, fmt.Errorf("store the token: %w", err)
	}
	return control.MadeToken{JoinToken: info(stored), Token: made.String()}, nil
}

// List are the tokens with which agents may join, sorted by their IDs.
func List(ctx context.Context, client kubernetes.Interface) ([]control.JoinToken, error) {
	secrets, err := client.CoreV1().Secrets(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("type", string(bootstrap.SecretTypeBootstrapToken)).String(),
	})
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	tokens := []control.JoinToken{}
	for i := range secrets.Items {
		if ours(&secrets.Items[i]) {
			tokens = append(tokens, info(&secrets.Items[i]))
		}
	}
	slices.SortFunc(tokens, func(a, b control.JoinToken) int { return strings.Compare(a.ID, b.ID) })
	return tokens, nil
}

// Delete takes a token back.
func Delete(ctx context.Context, client kubernetes.Interface, id string) error {
	if !token.IsID(id) {
		return fmt.Errorf("%q is not the ID of a token; it is its third part, six letters and digits", id)
	}
	err := client.CoreV1().Secrets(metav1.NamespaceSystem).Delete(ctx, bootstrap.BootstrapTokenSecretPrefix+id, metav1.DeleteOptions{})
	if err != nil {
		return fmt.Errorf("delete token %s: %w", id, err)
	}
	return nil
}

// ours is whether a Secret is a token for agents.
func ours(s *corev1.Secret) bool {
	groups := strings.Split(string(s.Data[bootstrap.BootstrapTokenExtraGroupsKey]), ",")
	return s.Type == bootstrap.SecretTypeBootstrapToken && slices.Contains(groups, control.JoinGroup)
}

func info(s *corev1.Secret) control.JoinToken {
	t := control.JoinToken{
		ID: string(s.Data[bootstrap.BootstrapTokenIDKey]), Description: string(s.Data[bootstrap.BootstrapTokenDescriptionKey]),
	}
	t.Expires, _ = time.Parse(time.RFC3339, string(s.Data[bootstrap.BootstrapTokenExpirationKey])) // none: never
	return t
}
