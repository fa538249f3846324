package device

import (
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"
)

// redirect changes the address of every cluster in a kubeconfig to server.
func redirect(kubeconfig []byte, server string) ([]byte, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(kubeconfig, &doc); err != nil {
		return nil, fmt.Errorf("parse kubeconfig: %w", err)
	}
	clusters, _ := doc["clusters"].([]any)
	if len(clusters) == 0 {
		return nil, errors.New("kubeconfig: names no cluster")
	}
	for _, entry := range clusters {
		named, _ := entry.(map[string]any)
		cluster, ok := named["cluster"].(map[string]any)
		if !ok {
			return nil, errors.New("kubeconfig: a cluster has no settings")
		}
		cluster["server"] = server
	}
	return yaml.Marshal(doc)
}
