package config

import (
	"reflect"

	"github.com/coracle-os/coracle/kube/token"
	"github.com/coracle-os/coracle/machined/config/strict"
	"github.com/coracle-os/coracle/machined/config/types"
)

// ofMachine are the fields of the section cluster that each machine has for itself. All others are the cluster's: agents are told
// them by their servers.
var ofMachine = map[string]bool{"endpoint": true, "token": true, "kubelet": true, "kubeProxy": true}

// checkAgent checks what makes a machine an agent, and that a server has none of it.
func checkAgent(k *checker) {
	if k.Machine.Role != types.Agent {
		if k.Cluster.Token != "" {
			k.fail("cluster.token", "is for agents; a server makes tokens (coraclectl token create)")
		}
		return
	}
	if k.Cluster.Endpoint == "" {
		k.fail("cluster.endpoint", "is missing; write where the Kubernetes API of the servers is reached, such as kube.example.com:6443")
	}
	if k.Cluster.Token == "" {
		k.fail("cluster.token", "is missing; write what coraclectl token create, on a server, has printed")
	} else if _, err := token.Parse(k.Cluster.Token); err != nil {
		k.fail("cluster.token", "%v", err)
	}
	for _, f := range strict.Fields(reflect.TypeFor[types.Cluster]()) {
		if at := "cluster." + f.Name; !ofMachine[f.Name] && k.doc.Has(at) {
			k.fail(at, "is the cluster's; set it on the server, and agents are told")
		}
	}
}
