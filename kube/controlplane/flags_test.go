package controlplane

import (
	"testing"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/flags"
	"github.com/coracle-os/coracle/kube/flags/flagstest"
	"github.com/coracle-os/coracle/kube/pki"
)

func TestFlagLists(t *testing.T) {
	for _, component := range []string{flags.APIServer, flags.ControllerManager, flags.Scheduler} {
		set, err := FlagSet(component)
		if err != nil {
			t.Fatal(err)
		}
		flagstest.Compare(t, component, set)
	}
}

// What Coracle passes is in the table of package flags, or listed here as what a config may change.
func TestOwnFlagsAreClassified(t *testing.T) {
	c := Config{
		PKI: &pki.PKI{}, EphemeralSocket: "/run/x",
		Settings: control.Settings{NodeIPs: []string{"192.0.2.7"}, Datastore: control.Datastore{Ephemeral: []string{"leases"}}},
	}
	flagstest.Classified(t, flags.APIServer, c.apiServerFlags("authentication.yaml"),
		"feature-gates", "enable-admission-plugins", "disable-admission-plugins", "kubelet-preferred-address-types", "etcd-compaction-interval",
		"etcd-count-metric-poll-period", "etcd-db-metric-poll-interval", "shutdown-send-retry-after", "shutdown-watch-termination-grace-period")
	flagstest.Classified(t, flags.ControllerManager, c.controllerManagerFlags(),
		"controllers", "concurrent-gc-syncs", "concurrent-namespace-syncs", "concurrent-resourceclaim-syncs", "concurrent-device-taint-eviction-syncs",
		"kube-api-qps", "kube-api-burst")
	flagstest.Classified(t, flags.Scheduler, c.schedulerFlags())
}
