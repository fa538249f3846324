package node

import (
	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/kubernetes/cmd/kube-proxy/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet/apis/config"

	"github.com/coracle-os/coracle/kube/flags"
)

// FlagSet is a component's flag set, with upstream's defaults; nil: the component is not one of a node.
func FlagSet(component string) (*pflag.FlagSet, error) {
	switch component {
	case flags.Kubelet:
		configuration, err := options.NewKubeletConfiguration()
		if err != nil {
			return nil, err
		}
		return kubeletFlagSet(options.NewKubeletFlags(), configuration), nil
	case flags.KubeProxy:
		return proxyFlagSet(app.NewOptions()), nil
	}
	return nil, nil
}

func kubeletFlagSet(own *options.KubeletFlags, configuration *config.KubeletConfiguration) *pflag.FlagSet {
	set := pflag.NewFlagSet(flags.Kubelet, pflag.ContinueOnError)
	set.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	own.AddFlags(set)
	options.AddKubeletConfigFlags(set, configuration)
	// All that are in its configuration are deprecated since 2018, and will not go: there is nothing to warn of.
	set.VisitAll(func(f *pflag.Flag) { f.Deprecated = "" })
	return set
}

func proxyFlagSet(opts *app.Options) *pflag.FlagSet {
	set := pflag.NewFlagSet(flags.KubeProxy, pflag.ContinueOnError)
	set.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	opts.AddFlags(set)
	return set
}
