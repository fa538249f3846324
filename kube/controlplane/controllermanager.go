package controlplane

import (
	"context"

	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	"k8s.io/kubernetes/cmd/kube-controller-manager/names"

	"github.com/coracle-os/coracle/kube/flags"
	"github.com/coracle-os/coracle/kube/pki"
)

// RunControllerManager runs kube-controller-manager until ctx is cancelled. The apiserver has to answer.
func (c Config) RunControllerManager(ctx context.Context) error {
	opts, err := options.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	controllers, disabled, aliases := app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases()
	if err := c.parse(flags.ControllerManager, opts.Flags(controllers, disabled, aliases), c.controllerManagerFlags()); err != nil {
		return err
	}
	config, err := opts.Config(ctx, controllers, disabled, aliases)
	if err != nil {
		return err
	}
	return app.Run(ctx, config.Complete())
}

func (c Config) controllerManagerFlags() []string {
	s, p := c.Settings, c.PKI
	return []string{
		"--kubeconfig=" + p.Kubeconfig(pki.ControllerManager),
		"--leader-elect=false", // it is the only one
		// All controllers share controller-manager's own identity (docs/decisions/0050-one-identity-for-controllers.md).
		"--use-service-account-credentials=false",
		"--service-account-private-key-file=" + p.ServiceAccountKey(),
		"--root-ca-file=" + p.ClusterCA(),
		"--cluster-signing-cert-file=" + p.ClusterCA(),
		"--cluster-signing-key-file=" + p.ClusterCAKey(),
		"--allocate-node-cidrs=true",
		"--cluster-cidr=" + s.PodCIDR,
		"--service-cluster-ip-range=" + s.ServiceCIDR,
		// Its metrics are in the apiserver's: the registry is that of the process.
		"--secure-port=0",
		"--profiling=false",
		"--flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins", // as the kubelet: upstream's is read-only here
		"--controllers=*,-" + policyStatusController + "," + names.TokenCleanerController,
		// Upstream's numbers of workers, 20 and 50 of some, are for thousands of nodes.
		"--concurrent-gc-syncs=4",
		"--concurrent-namespace-syncs=2",
		"--concurrent-resourceclaim-syncs=2",
		"--concurrent-device-taint-eviction-syncs=2",
		"--kube-api-qps=100",
		"--kube-api-burst=200",
	}
}
