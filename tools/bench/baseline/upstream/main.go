// Command upstream is the programs of a common Kubernetes server in one file, for the benchmarks' baseline: each is called by
// its own name and is a process of its own, with upstream's command and no change. One file, because it is quicker to link
// than seven; in memory the processes share its text as separate programs would not, which favours the baseline.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	containerd "github.com/containerd/containerd/v2/cmd/containerd/command"
	ctr "github.com/containerd/containerd/v2/cmd/ctr/app"
	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	_ "github.com/containerd/containerd/v2/cmd/containerd/builtins"
)

// programs by the name they are called by.
var programs = map[string]func() error{
	"kine":       kine,
	"containerd": func() error { return containerd.App().Run(context.Background(), os.Args) },
	"ctr":        func() error { return ctr.New().Run(context.Background(), os.Args) },

	"kube-apiserver":          command(apiserver.NewAPIServerCommand),
	"kube-controller-manager": command(controllermanager.NewControllerManagerCommand),
	"kube-scheduler":          command(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kube-proxy":              command(proxy.NewProxyCommand),
	// The command sets signal handlers up itself, which nothing may do twice.
	"kubelet": command(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
}

func command(construct func() *cobra.Command) func() error {
	return func() error { return cli.RunNoErrOutput(construct()) }
}

func main() {
	name := filepath.Base(os.Args[0])
	run, ok := programs[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "upstream: has no program %q in it\n", name)
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
