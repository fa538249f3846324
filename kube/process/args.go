package process

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/pflag"
	utilfeature "k8s.io/apiserver/pkg/util/feature"

	"github.com/coracle-os/coracle/kube/control"
	"github.com/coracle-os/coracle/kube/controlplane"
	"github.com/coracle-os/coracle/kube/flags"
	"github.com/coracle-os/coracle/kube/node"
)

// checkExtraArgs tries the arguments out on flag sets that are used for nothing else. machined knows the names of flags, but only
// upstream's code knows which values they take. It costs nothing when there are none.
func checkExtraArgs(extra control.ExtraArgs) []error {
	var problems []error
	for _, component := range slices.Sorted(maps.Keys(extra)) {
		set, err := flagSet(component)
		if err != nil {
			problems = append(problems, fmt.Errorf("extraArgs of %s: %w", component, err))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(extra[component])) {
			if err := checkArg(set, component, name, extra[component][name]); err != nil {
				problems = append(problems, fmt.Errorf("extraArgs of %s: %w", component, err))
			}
		}
	}
	return problems
}

func checkArg(set *pflag.FlagSet, component, name, value string) error {
	if why := flags.Owner(component, name); why != "" {
		return fmt.Errorf("--%s %s", name, why)
	}
	if set.Lookup(name) == nil {
		return fmt.Errorf("there is no flag --%s", name)
	}
	if name == "feature-gates" {
		// The flag itself takes everything, and keeps it for the whole process.
		if err := utilfeature.DefaultMutableFeatureGate.DeepCopy().Set(value); err != nil {
			return fmt.Errorf("--%s=%s: %w", name, value, err)
		}
		return nil
	}
	return set.Parse(flags.Merge(nil, map[string]string{name: value}))
}

func flagSet(component string) (*pflag.FlagSet, error) {
	if !slices.Contains(flags.Components, component) {
		return nil, errors.New("there is no such component")
	}
	set, err := controlplane.FlagSet(component)
	if set != nil || err != nil {
		return set, err
	}
	return node.FlagSet(component)
}
