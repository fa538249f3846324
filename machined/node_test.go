package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/machined/config"
)

func TestJoinedCluster(t *testing.T) {
	for name, tc := range map[string]struct{ told, want string }{
		"not joined": {"", "10.42.0.0/16"},
		"joined":     {`{"podCIDR":"10.99.0.0/16","serviceCIDR":"10.98.0.0/16"}`, "10.99.0.0/16"},
		"torn":       {`{"podCIDR":"10.99`, "10.42.0.0/16"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, cluster := t.TempDir(), config.Default().Cluster
			if tc.told != "" {
				if err := os.WriteFile(filepath.Join(dir, control.ClusterKey), []byte(tc.told), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			joinedCluster(&cluster, dir)
			if got := cluster.PodCIDR.String(); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
