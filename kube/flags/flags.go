// Package flags knows the command-line flags of Kubernetes' components: which there are, and which of them are Coracle's own to
// set. machined checks a config with it, so it needs nothing of Kubernetes; tests of kube compare the lists with upstream's.
package flags

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Components, by upstream's names.
const (
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kubelet           = "kubelet"
	KubeProxy         = "kube-proxy"
)

// Components in the order of the config.
var Components = []string{APIServer, ControllerManager, Scheduler, Kubelet, KubeProxy}

//go:embed *.txt
var lists embed.FS

// Known are the names of a component's flags, without --, sorted.
func Known(component string) []string {
	text, err := lists.ReadFile(component + ".txt")
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// Free are those that a config may set.
func Free(component string) []string {
	return slices.DeleteFunc(Known(component), func(name string) bool { return Owner(component, name) != "" })
}

// Owner says why a config may not set a flag; empty: it may.
func Owner(component, name string) string {
	for _, o := range owned {
		if o.has(component, name) {
			return o.why
		}
	}
	return ""
}

// Merge returns arguments with those of a config: a value there takes the place of Coracle's, or is added to it.
func Merge(own []string, extra map[string]string) []string {
	args := make([]string, 0, len(own)+len(extra))
	seen := map[string]bool{}
	for _, arg := range own {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		more, found := extra[name]
		switch {
		case found && slices.Contains(added, name):
			arg = fmt.Sprintf("--%s=%s,%s", name, value, more)
		case found:
			arg = fmt.Sprintf("--%s=%s", name, more)
		}
		seen[name] = true
		args = append(args, arg)
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if !seen[name] {
			args = append(args, fmt.Sprintf("--%s=%s", name, extra[name]))
		}
	}
	return args
}
