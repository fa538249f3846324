// Package controlplane runs Kubernetes' own control plane, unpatched, inside this process: kube-apiserver,
// kube-controller-manager and kube-scheduler. Each takes its flags from a list here, parsed by upstream's own options, so
// that what Kubernetes documents about a flag holds.
package controlplane

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/pki"
)

// Config is what the control plane has to know.
type Config struct {
	Settings        control.Settings
	PKI             *pki.PKI
	RunDir          string // for generated configuration files; tmpfs
	Socket          string // of the datastore
	EphemeralSocket string // of the datastore in memory; empty: none
	RolesFile       string // notes the version of Kubernetes whose roles are in the datastore
	// WaitForDatastore returns nil once both answer.
	WaitForDatastore func(ctx context.Context) error
	// Seeded reports, after that, whether the datastore is new and has all of [Config.Seed] in it.
	Seeded func() bool
}

func init() {
	// Several components of one process apply the same logging configuration; only a different one would be an error.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
}

// featureGates differ from upstream's defaults.
var featureGates = map[string]bool{
	// A single server has no peers to find: the two would renew leases every few seconds.
	"APIServerIdentity":                   false,
	"UnknownVersionInteroperabilityProxy": false,
	// Each costs goroutines for every resource, and is for clusters of another size: snapshots of caches for lists in pieces,
	// decoding events on several processors, estimates of the cost of lists, and a full list of everything in the datastore every
	// few minutes, to compare it with the cache.
	"ListFromCacheSnapshot":       false,
	"ConcurrentWatchObjectDecode": false,
	"SizeBasedListCostEstimate":   false,
	"DetectCacheInconsistency":    false,
}

// featureGatesFlag is the value of --feature-gates.
func featureGatesFlag() string {
	value := ""
	for _, name := range slices.Sorted(maps.Keys(featureGates)) {
		if value != "" {
			value += ","
		}
		value += fmt.Sprintf("%s=%t", name, featureGates[name])
	}
	return value
}

// parse reads args into the options behind a component's flag sets.
func parse(component string, sets cliflag.NamedFlagSets, args []string) error {
	flags := pflag.NewFlagSet(component, pflag.ContinueOnError)
	flags.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	for _, set := range sets.FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("flags of %s: %w", component, err)
	}
	return nil
}
