package controlplane

import (
	"context"

	"k8s.io/kubernetes/cmd/kube-scheduler/app"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/coracle-os/coracle/kube/flags"
	"github.com/coracle-os/coracle/kube/pki"
)

// RunScheduler runs kube-scheduler until ctx is cancelled. The apiserver has to answer.
func (c Config) RunScheduler(ctx context.Context) error {
	opts := options.NewOptions()
	if err := c.parse(flags.Scheduler, *opts.Flags, c.schedulerFlags()); err != nil {
		return err
	}
	config, scheduler, err := app.Setup(ctx, opts)
	if err != nil {
		return err
	}
	return app.Run(ctx, config, scheduler)
}

func (c Config) schedulerFlags() []string {
	return []string{
		"--kubeconfig=" + c.PKI.Kubeconfig(pki.Scheduler),
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
	}
}
