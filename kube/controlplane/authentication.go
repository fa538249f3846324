package controlplane

import (
	"fmt"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"sigs.k8s.io/yaml"

	"github.com/coracle-os/coracle/machined/atomicfile"
)

// anonymousPaths are what a client without credentials may ask: whether the server lives, as load balancers do.
var anonymousPaths = []string{"/livez", "/readyz", "/healthz"}

// writeAuthentication writes the apiserver's authentication configuration and returns its path.
func (c Config) writeAuthentication() (string, error) {
	anonymous := &apiserver.AnonymousAuthConfig{Enabled: true}
	for _, path := range anonymousPaths {
		anonymous.Conditions = append(anonymous.Conditions, apiserver.AnonymousAuthCondition{Path: path})
	}
	data, err := yaml.Marshal(apiserver.AuthenticationConfiguration{
		TypeMeta:  metav1.TypeMeta{APIVersion: apiserver.SchemeGroupVersion.String(), Kind: "AuthenticationConfiguration"},
		Anonymous: anonymous,
	})
	if err != nil {
		return "", fmt.Errorf("encode the authentication configuration: %w", err)
	}
	path := filepath.Join(c.RunDir, "authentication.yaml")
	return path, atomicfile.Write(path, data, 0o600)
}
