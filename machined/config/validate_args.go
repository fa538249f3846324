package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coracle-os/coracle/kube/flags"
	"github.com/coracle-os/coracle/machined/config/strict"
)

// checkExtraArgs finds flags that Kubernetes' components do not have, or that are not the config's to set. What values they
// take only the components know; kube tries them before it starts anything.
func checkExtraArgs(k *checker) {
	c := &k.Cluster
	for _, e := range []struct {
		field, component string
		args             map[string]string
	}{
		{"apiServer", flags.APIServer, c.APIServer.ExtraArgs},
		{"controllerManager", flags.ControllerManager, c.ControllerManager.ExtraArgs},
		{"scheduler", flags.Scheduler, c.Scheduler.ExtraArgs},
		{"kubelet", flags.Kubelet, c.Kubelet.ExtraArgs},
		{"kubeProxy", flags.KubeProxy, c.KubeProxy.ExtraArgs},
	} {
		for _, name := range slices.Sorted(maps.Keys(e.args)) {
			at := fmt.Sprintf("cluster.%s.extraArgs[%q]", e.field, name)
			if problem := flagProblem(e.component, name); problem != "" {
				k.fail(at, "%s", problem)
			}
			if strings.ContainsFunc(e.args[name], isControl) {
				k.fail(at, "the value has control characters in it")
			}
		}
	}
}

// flagProblem says what is wrong with a flag's name; empty: nothing.
func flagProblem(component, name string) string {
	if bare := strings.TrimLeft(name, "-"); bare != name {
		return fmt.Sprintf("write it without dashes: %s", bare)
	}
	if why := flags.Owner(component, name); why != "" {
		return fmt.Sprintf("--%s %s", name, why)
	}
	if slices.Contains(flags.Known(component), name) {
		return ""
	}
	problem := fmt.Sprintf("%s has no flag --%s", component, name)
	if near := strict.Nearest(name, flags.Free(component)); near != "" {
		problem += fmt.Sprintf("; did you mean %q?", near)
	}
	return problem
}

// isControl is whether r is in no text that is one line.
func isControl(r rune) bool { return r < ' ' || r == 0x7f }
