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
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/flags"
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

// parse reads Coracle's arguments and those of the config into the options behind a component's flag sets.
func (c Config) parse(component string, sets cliflag.NamedFlagSets, own []string) error {
	if err := union(component, sets).Parse(flags.Merge(own, c.Settings.ExtraArgs[component])); err != nil {
		return fmt.Errorf("flags of %s: %w", component, err)
	}
	return nil
}

// union is one flag set of many.
func union(component string, sets cliflag.NamedFlagSets) *pflag.FlagSet {
	all := pflag.NewFlagSet(component, pflag.ContinueOnError)
	all.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	for _, set := range sets.FlagSets {
		all.AddFlagSet(set)
	}
	return all
}

// FlagSet is a component's flag set, with upstream's defaults; nil: the component is not one of the control plane.
func FlagSet(component string) (*pflag.FlagSet, error) {
	switch component {
	case flags.APIServer:
		return union(component, apiserver.NewServerRunOptions().Flags()), nil
	case flags.ControllerManager:
		opts, err := controllermanager.NewKubeControllerManagerOptions()
		if err != nil {
			return nil, err
		}
		return union(component, opts.Flags(app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases())), nil
	case flags.Scheduler:
		return union(component, *scheduler.NewOptions().Flags), nil
	}
	return nil, nil
}
